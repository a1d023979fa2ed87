"""Makes the demo models: a seeded frame generator, a detector, its training, evaluation and ONNX export."""
