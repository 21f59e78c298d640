//! Tests of reading a log back.
