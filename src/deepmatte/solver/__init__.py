"""(image, trimap) -> alpha, in NumPy, OpenCV and ONNX Runtime: never torch."""
