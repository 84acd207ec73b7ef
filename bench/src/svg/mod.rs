//! Plots as SVG: text, lines and rectangles, readable on a light and on a dark page, without scripts
//! and without fonts of its own.
//!
//! Must never decide what is worth showing.

mod picture;

mod axis;

pub mod bars;

pub mod lines;
