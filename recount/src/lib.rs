//! A second, simple reading of the formats, to hold the first one against. Not there yet.
