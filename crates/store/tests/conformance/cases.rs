//! The cases, by promise. Every function takes a fresh place.

pub(crate) mod admission;

pub(crate) mod batches;

pub(crate) mod opening;

pub(crate) mod journal;

pub(crate) mod folding;

pub(crate) mod blocks;

pub(crate) mod kinds;

pub(crate) mod arrival;

pub(crate) mod forgetting;

pub(crate) mod reading;

pub(crate) mod recovering;

pub(crate) mod identity;

pub(crate) mod model;
