//! The names of rand 0.8 for what rand 0.10 has.

use rand::distr::uniform::{SampleRange, SampleUniform};
use rand::distr::{Distribution, StandardUniform};

pub use rand::{CryptoRng, Rng as RngCore, SeedableRng};

pub trait Rng: rand::Rng {
    fn gen<T>(&mut self) -> T
    where
        StandardUniform: Distribution<T>,
    {
        rand::RngExt::random(self)
    }

    fn gen_range<T: SampleUniform>(&mut self, range: impl SampleRange<T>) -> T {
        rand::RngExt::random_range(self, range)
    }
}

impl<R: rand::Rng + ?Sized> Rng for R {}
