//! Sentences about ingest.
