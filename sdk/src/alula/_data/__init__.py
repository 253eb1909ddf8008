"""Files, directories, data frames and other values that live in blobs.

Nothing here imports pandas, polars, pyarrow, numpy or pydantic until a value of theirs is converted.
"""
