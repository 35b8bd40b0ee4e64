//! The exact binomial test.

/// Returns the probability that of `n` trials, each a success with probability `p`, the number of successes is at least as
/// far out as `k`: twice the smaller tail, at most 1.
pub fn p_value(k: u64, n: u64, p: f64) -> f64 {
    assert!(k <= n && (0.0..=1.0).contains(&p));
    let certain = if p == 0.0 { Some(0) } else { (p == 1.0).then_some(n) };
    if let Some(certain) = certain {
        return if k == certain { 1.0 } else { 0.0 };
    }
    // The smaller tail leads away from the mean; its terms soon vanish.
    let tail = |outward: &mut dyn Iterator<Item = u64>| {
        let mut sum = 0.0;
        for term in outward.map(|i| mass(i, n, p)) {
            sum += term;
            if term < sum * 1e-15 {
                break;
            }
        }
        sum
    };
    let tail = if k as f64 > n as f64 * p { tail(&mut (k..=n)) } else { tail(&mut (0..=k).rev()) };
    (2.0 * tail).min(1.0)
}

/// Returns the probability of exactly `k` successes.
fn mass(k: u64, n: u64, p: f64) -> f64 {
    let ln_factorial = |x: u64| libm::lgamma(x as f64 + 1.0);
    let ways = ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k);
    (ways + k as f64 * p.ln() + (n - k) as f64 * (-p).ln_1p()).exp()
}

#[test]
fn the_test_is_the_textbook_one() {
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} is not {b}");
    // Ten throws of a fair coin give two heads: 2 (1 + 10 + 45) / 1024.
    near(p_value(2, 10, 0.5), 112.0 / 1024.0);
    near(p_value(5, 10, 0.5), 1.0);
    // There is no success in 1,000 trials at 1 %: 2 * 0.99^1000.
    near(p_value(0, 1000, 0.01), 2.0 * 0.99f64.powi(1000));
    assert!(p_value(1_200, 100_000, 0.01) < 1e-8);
    assert!(p_value(1_030, 100_000, 0.01) > 0.3);
    assert_eq!(p_value(0, 7, 0.0), 1.0);
    assert_eq!(p_value(6, 7, 1.0), 0.0);
}
