"""The networks inside the package: ONNX files, their model cards, and `catalogue`."""
