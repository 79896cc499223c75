"""What is told of inspected parts: scores of tiles and pixels, tables, pictures of defects."""
