"""What becomes integer arithmetic."""

QUANTIZED_OPERATORS = (
    "Conv",
    "ConvTranspose",
    "Gemm",
    "MatMul",
    "Add",
    "Mul",
    "Concat",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "Resize",
    "Relu",
    "Clip",
)
