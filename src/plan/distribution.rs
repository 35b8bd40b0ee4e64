//! Continuous distributions by inverse CDF: a uniform number becomes a value, in portable float arithmetic.

/// Returns the percentage point of the normal distribution at `p` in (0, 1), accurate to about 1 part in 10^16: M. J.
/// Wichura, Algorithm AS 241 (PPND16), Applied Statistics 37 (1988).
#[allow(clippy::excessive_precision)]
pub fn normal(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180625 - q * q;
        let above = [
            3.387_132_872_796_366_608_0e0,
            1.331_416_678_917_843_774_5e2,
            1.971_590_950_306_551_442_7e3,
            1.373_169_376_550_946_112_5e4,
            4.592_195_393_154_987_145_7e4,
            6.726_577_092_700_870_085_3e4,
            3.343_057_558_358_812_810_5e4,
            2.509_080_928_730_122_672_7e3,
        ];
        let below = [
            1.0,
            4.231_333_070_160_091_125_2e1,
            6.871_870_074_920_579_083_0e2,
            5.394_196_021_424_751_107_7e3,
            2.121_379_430_158_659_586_7e4,
            3.930_789_580_009_271_061_0e4,
            2.872_908_573_572_194_267_4e4,
            5.226_495_278_852_854_561_0e3,
        ];
        return q * polynomial(&above, r) / polynomial(&below, r);
    }
    let r = libm::sqrt(-libm::log(if q < 0.0 { p } else { 1.0 - p }));
    let size = if r <= 5.0 {
        let above = [
            1.423_437_110_749_683_577_34e0,
            4.630_337_846_156_545_295_90e0,
            5.769_497_221_460_691_405_50e0,
            3.647_848_324_763_204_605_04e0,
            1.270_458_252_452_368_382_58e0,
            2.417_807_251_774_506_117_70e-1,
            2.272_384_498_926_918_458_33e-2,
            7.745_450_142_783_414_076_40e-4,
        ];
        let below = [
            1.0,
            2.053_191_626_637_758_821_87e0,
            1.676_384_830_183_803_849_40e0,
            6.897_673_349_851_000_045_50e-1,
            1.481_039_764_274_800_745_90e-1,
            1.519_866_656_361_645_719_66e-2,
            5.475_938_084_995_344_946_00e-4,
            1.050_750_071_644_416_843_24e-9,
        ];
        polynomial(&above, r - 1.6) / polynomial(&below, r - 1.6)
    } else {
        let above = [
            6.657_904_643_501_103_777_20e0,
            5.463_784_911_164_114_369_90e0,
            1.784_826_539_917_291_335_80e0,
            2.965_605_718_285_048_912_30e-1,
            2.653_218_952_657_612_309_30e-2,
            1.242_660_947_388_078_438_60e-3,
            2.711_555_568_743_487_578_15e-5,
            2.010_334_399_292_288_132_65e-7,
        ];
        let below = [
            1.0,
            5.998_322_065_558_879_376_90e-1,
            1.369_298_809_227_358_053_10e-1,
            1.487_536_129_085_061_485_25e-2,
            7.868_691_311_456_132_591_00e-4,
            1.846_318_317_510_054_681_80e-5,
            1.421_511_758_316_445_888_70e-7,
            2.044_263_103_389_939_785_64e-15,
        ];
        polynomial(&above, r - 5.0) / polynomial(&below, r - 5.0)
    };
    if q < 0.0 { -size } else { size }
}

/// Returns the share of a standard normal distribution that is below `z`.
pub fn normal_share(z: f64) -> f64 {
    libm::erfc(-z / std::f64::consts::SQRT_2) / 2.0
}

/// Returns the value of a polynomial, whose coefficients begin with the constant one.
fn polynomial(coefficients: &[f64; 8], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c)
}

/// The 99th percentile of the standard normal distribution.
const Z99: f64 = 2.326_347_874_040_841;

/// Returns the value at probability `p` of the lognormal distribution with this median and 99th percentile, 0 < p50 <= p99.
pub fn lognormal(p: f64, p50: f64, p99: f64) -> Option<f64> {
    let sigma = libm::log(p99 / p50) / Z99;
    (p50 > 0.0 && p99 >= p50).then(|| p50 * libm::exp(sigma * normal(p)))
}

/// Returns the value at probability `p` of the exponential distribution with this mean, at least 0.
pub fn exponential(p: f64, mean: f64) -> Option<f64> {
    (mean >= 0.0).then(|| -mean * libm::log1p(-p))
}

/// Returns the value at probability `p` of the Pareto distribution (type I) of scale `min > 0` and shape `alpha > 0`.
pub fn pareto(p: f64, min: f64, alpha: f64) -> Option<f64> {
    (min > 0.0 && alpha > 0.0).then(|| min * libm::exp(-libm::log1p(-p) / alpha))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the midpoints of n equal parts of (0, 1). The mean over them is a quadrature.
    fn parts(n: u32) -> impl Iterator<Item = f64> {
        (0..n).map(move |i| (i as f64 + 0.5) / n as f64)
    }

    fn close(a: f64, b: f64, tolerance: f64) {
        assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "{a} is not {b}");
    }

    #[test]
    fn normal_has_the_published_percentage_points() {
        for (p, z) in [
            (0.5, 0.0),
            (0.975, 1.959_963_984_540_054),
            (0.99, Z99),
            (0.999, 3.090_232_306_167_813_5),
            // These are the test values of AS 241.
            (0.25, -0.674_489_750_196_081_7),
            (0.001, -3.090_232_306_167_813_5),
            (1e-20, -9.262_340_089_798_408),
        ] {
            close(normal(p), z, 1e-15 * 4.0);
            close(normal_share(z), p, 1e-15);
        }
    }

    #[test]
    fn distributions_have_their_moments_and_percentiles() {
        let n = 1_000_000;
        let mean = |f: &dyn Fn(f64) -> f64| parts(n).map(f).sum::<f64>() / n as f64;
        close(mean(&normal), 0.0, 1e-9);
        close(mean(&|p| normal(p) * normal(p)), 1.0, 1e-4);
        close(mean(&|p| exponential(p, 40.0).unwrap()), 40.0, 1e-4);
        close(mean(&|p| pareto(p, 5.0, 3.0).unwrap()), 7.5, 1e-3);
        close(lognormal(0.5, 5.0, 80.0).unwrap(), 5.0, 1e-12);
        close(lognormal(0.99, 5.0, 80.0).unwrap(), 80.0, 1e-12);
        close(pareto(0.5, 5.0, 1.0).unwrap(), 10.0, 1e-12);
        close(exponential(0.5, 1.0).unwrap(), std::f64::consts::LN_2, 1e-12);
    }

    #[test]
    fn parameters_out_of_range_give_nothing() {
        assert_eq!(lognormal(0.5, 0.0, 1.0), None);
        assert_eq!(lognormal(0.5, 2.0, 1.0), None);
        assert_eq!(lognormal(0.5, f64::NAN, 1.0), None);
        assert_eq!(exponential(0.5, -1.0), None);
        assert_eq!(pareto(0.5, 0.0, 1.0), None);
        assert_eq!(pareto(0.5, 1.0, 0.0), None);
    }
}
