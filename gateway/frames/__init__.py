"""The path of one frame: admission, memory, preparation, decoding of the model's output."""
