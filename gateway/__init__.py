"""The gateway: camera frames in, detections out, in front of Triton."""
