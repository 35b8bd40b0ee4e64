//! Tables that are computed once for a plan so that draws are cheap: cumulative weights and Zipf tables.

use super::zipf::Zipf;
use crate::plan::{Expr, ExprId, Plan};
use std::collections::HashMap;
use std::sync::Arc;

/// The tables of all expressions that need one, by expression id.
pub(super) struct Tables(Box<[Table]>);

#[derive(Clone)]
enum Table {
    None,
    Weights(Box<[u64]>),
    Zipf(Arc<Zipf>),
}

impl Tables {
    pub fn new(plan: &Plan) -> Self {
        let mut zipfs: HashMap<(u64, u64), Arc<Zipf>> = HashMap::new();
        let table = |expr: &Expr| match expr {
            Expr::RandomWeighted { weights, .. } => Table::Weights(cumulative(weights)),
            Expr::RandomZipf { n, s } => {
                let zipf = zipfs.entry((*n, s.to_bits())).or_insert_with(|| Arc::new(Zipf::new(*n, *s)));
                Table::Zipf(zipf.clone())
            }
            _ => Table::None,
        };
        Tables(plan.exprs.iter().map(table).collect())
    }

    /// Returns the item of the weighted choice `id` that a 32-bit draw chooses.
    #[inline(always)]
    pub fn weighted(&self, id: ExprId, draw: u32) -> usize {
        match &self.0[id.index()] {
            Table::Weights(ends) => ends.partition_point(|&end| end <= draw as u64).min(ends.len() - 1),
            _ => 0,
        }
    }

    pub fn zipf(&self, id: ExprId, u: f64) -> u64 {
        match &self.0[id.index()] {
            Table::Zipf(zipf) => zipf.sample(u),
            _ => 1,
        }
    }
}

/// Returns the ends of the items' shares, in units of 2^-32. The share of the last item with a weight ends at 2^32, as do
/// those of the items after it.
pub(super) fn cumulative(weights: &[f64]) -> Box<[u64]> {
    let total: f64 = weights.iter().sum();
    let last = weights.iter().rposition(|&w| w > 0.0).unwrap_or(0);
    let mut sum = 0.0;
    let end = |(i, weight): (usize, &f64)| {
        sum += weight;
        if i >= last { 1 << 32 } else { (sum / total * 4_294_967_296.0 + 0.5) as u64 }
    };
    weights.iter().enumerate().map(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_proportional_and_nothing_without_weight_is_chosen() {
        assert_eq!(*cumulative(&[9.0, 1.0]), [3_865_470_566, 1 << 32]);
        assert_eq!(*cumulative(&[0.0, 1.0, 0.0]), [0, 1 << 32, 1 << 32]);
        let ends = cumulative(&[0.0, 3.0, 0.0, 1.0, 0.0]);
        let choose = |draw: u32| ends.partition_point(|&end| end <= draw as u64);
        assert_eq!((choose(0), choose(3 << 30), choose(u32::MAX)), (1, 3, 3));
        assert_eq!(choose((3 << 30) - 1), 1);
        assert_eq!(*cumulative(&[1e308, 1e-308]), [1 << 32, 1 << 32], "a share too small for a draw is never drawn");
    }
}
