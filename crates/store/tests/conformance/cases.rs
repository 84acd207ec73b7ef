//! The cases, by promise. Every function takes a fresh place.

pub mod admission;

pub mod batches;

pub mod opening;

pub mod journal;

pub mod folding;

pub mod blocks;

pub mod kinds;

pub mod arrival;

pub mod forgetting;

pub mod reading;

pub mod recovering;

pub mod identity;

pub mod model;
