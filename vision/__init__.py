"""Pure array functions shared by training, evaluation and serving: image bytes to tensors, candidates to detections.

No I/O and no state. Pixels are 8-bit, height x width x 3. Boxes are ``x1, y1, x2, y2``.
"""
