//! The cloud end of Landbridge.
