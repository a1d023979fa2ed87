"""Python-based Triton backends that serve `1/model.onnx` of a build: `onnxruntime` and `openvino`.

No deployable imports this package. Triton loads `<backend directory>/<backend>/model.py` in a process of its own for
each model instance. That process ignores PYTHONPATH: it finds the virtual environment whose `bin` is first on PATH, and
its own backend folder. A backend directory therefore holds, as copies or links:

    python/       libtriton_python.so, triton_python_backend_stub, triton_python_backend_utils.py (Triton's own)
    onnxruntime/  model.py -> triton_backends/onnxruntime/model.py,  triton_backends -> this package
    openvino/     model.py -> triton_backends/openvino/model.py,     triton_backends -> this package

Parameters of a model configuration that both backends read, each a string:

    intra_op_thread_count  threads of one inference, default 1
    precision              auto (default), f32 or bf16; onnxruntime has no bf16 on CPUs
"""
