"""Encoders and decoders of data frames, one module per library and one for the formats."""
