//! The ways to forecast, by the names they have in SQL.

use crate::math::Fault;

/// A way to forecast, simplest first: ties between the simple ones go to the earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The last value.
    Naive,
    /// The value one season before.
    SeasonalNaive,
    /// The mean of all values.
    Mean,
    /// The last value, and the mean change for each step.
    Drift,
    /// One season before, and the mean change over a season.
    SeasonalNaiveDrift,
    /// Simple exponential smoothing.
    Ses,
    /// Holt's linear trend.
    Holt,
    /// Holt and Winters, additive season.
    HoltWinters,
    /// Holt and Winters, multiplicative season; values must be above zero.
    HoltWintersMul,
    /// A line by least squares, and an index for each place in the season.
    LinearSeason,
    /// Theta, on the series less its season.
    Theta,
    /// How often a value comes, times its size: for series that are mostly zero.
    Tsb,
    /// Six members on two scales, weighted by how they did before.
    Ensemble,
}

impl Method {
    /// All of them, simplest first.
    pub const ALL: [Self; 13] = [
        Self::Naive,
        Self::SeasonalNaive,
        Self::Mean,
        Self::Drift,
        Self::SeasonalNaiveDrift,
        Self::Ses,
        Self::Holt,
        Self::HoltWinters,
        Self::HoltWintersMul,
        Self::LinearSeason,
        Self::Theta,
        Self::Tsb,
        Self::Ensemble,
    ];

    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::SeasonalNaive => "snaive",
            Self::Mean => "mean",
            Self::Drift => "drift",
            Self::SeasonalNaiveDrift => "snaive_drift",
            Self::Ses => "ses",
            Self::Holt => "holt",
            Self::HoltWinters => "holt_winters",
            Self::HoltWintersMul => "holt_winters_mul",
            Self::LinearSeason => "linear_season",
            Self::Theta => "theta",
            Self::Tsb => "tsb",
            Self::Ensemble => "ensemble",
        }
    }

    /// The method called `name`; `None` for `auto`.
    ///
    /// # Errors
    /// A name that is neither.
    pub fn parse(name: &str) -> Result<Option<Self>, Fault> {
        if name == "auto" {
            return Ok(None);
        }
        Self::ALL.into_iter().find(|method| method.name() == name).map(Some).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|method| method.name()).collect();
            Fault(format!("method must be auto, {}, got \"{name}\"", known.join(", ")))
        })
    }

    /// Fewest values it needs with a season of `season` steps.
    pub(super) fn values_min(self, season: usize) -> usize {
        match self {
            Self::Naive | Self::Mean => 1,
            Self::Drift => 3,
            Self::SeasonalNaive => season + 1,
            Self::SeasonalNaiveDrift => season + 2,
            Self::Ses | Self::Theta | Self::Tsb => 4,
            Self::Holt | Self::Ensemble => 6,
            Self::HoltWinters | Self::HoltWintersMul => (2 * season).max(4),
            Self::LinearSeason => (2 * season).max(3),
        }
    }

    /// Whether it goes by the season it is given.
    pub(super) fn is_seasonal(self) -> bool {
        matches!(
            self,
            Self::SeasonalNaive
                | Self::SeasonalNaiveDrift
                | Self::HoltWinters
                | Self::HoltWintersMul
                | Self::LinearSeason
        )
    }

    /// Whether it can forecast `series` with a season of `season` steps.
    pub(super) fn can(self, series: &[f64], season: usize) -> bool {
        series.len() >= self.values_min(season)
            && (season >= 2 || !self.is_seasonal() || self == Self::LinearSeason)
            && (self != Self::HoltWintersMul || series.iter().all(|value| *value > 0.0))
    }
}
