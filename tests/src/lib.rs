//! Tests of the program as a whole; they stand in `tests/`.
