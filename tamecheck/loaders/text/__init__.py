"""What users write: expressions, boxes, VNN-LIB."""
