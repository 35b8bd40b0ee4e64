//! Leaves out of a program the texts and expressions that nothing uses (what folding left behind), so that the digest covers
//! what executes and nothing else. The others keep their order.

use crate::plan::{Constant, Expr, ExprId, Inst, Program, TextId};

pub fn compact(program: &mut Program) {
    let mut used = vec![false; program.exprs.len()];
    each_root(program, &mut |id| used[id.index()] = true);
    for i in (0..used.len()).rev() {
        if used[i] {
            each_operand(&mut program.exprs[i], &mut |id| used[id.index()] = true);
        }
    }
    let renumber = retain(&mut program.exprs, &used);
    each_root(program, &mut |id| id.0 = renumber[id.index()]);
    for expr in &mut program.exprs {
        each_operand(expr, &mut |id| id.0 = renumber[id.index()]);
    }

    let mut used = vec![false; program.texts.len()];
    each_text(program, &mut |id| used[id.index()] = true);
    let renumber = retain(&mut program.texts, &used);
    each_text(program, &mut |id| id.0 = renumber[id.index()]);
}

/// Keep what is used; the new number of each by its old one.
fn retain<T>(table: &mut Vec<T>, used: &[bool]) -> Vec<u32> {
    let mut next = 0;
    let renumber = used
        .iter()
        .map(|&used| {
            next += used as u32;
            next.wrapping_sub(1)
        })
        .collect();
    let mut used = used.iter();
    table.retain(|_| used.next() == Some(&true));
    renumber
}

/// The expressions that others than expressions refer to.
fn each_root(program: &mut Program, f: &mut impl FnMut(&mut ExprId)) {
    program.resources.iter_mut().flat_map(|r| &mut r.attributes).for_each(|(_, value)| f(value));
    program.scenarios.iter_mut().flat_map(|s| &mut s.vars).for_each(|(_, value)| f(value));
    for event in &mut program.events {
        f(&mut event.name);
        event.attributes.iter_mut().for_each(|(_, value)| f(value));
    }
    for error in &mut program.errors {
        f(&mut error.r#type);
        error.message.iter_mut().for_each(&mut *f);
    }
    for inst in program.blocks.iter_mut().flat_map(|b| &mut b.code) {
        match inst {
            Inst::Set { value, .. } | Inst::Attr { value, .. } | Inst::Name { value } => f(value),
            Inst::Link { .. }
            | Inst::Export { .. }
            | Inst::Delay { .. }
            | Inst::Roll
            | Inst::Fail { .. }
            | Inst::Event { .. }
            | Inst::SkipIfFailed { .. }
            | Inst::Call { .. }
            | Inst::End => {}
        }
    }
}

fn each_operand(expr: &mut Expr, f: &mut impl FnMut(&mut ExprId)) {
    match expr {
        Expr::Const { .. }
        | Expr::Slot { .. }
        | Expr::RandomInt { .. }
        | Expr::RandomFloat { .. }
        | Expr::RandomBool { .. }
        | Expr::RandomUuid
        | Expr::RandomHex { .. }
        | Expr::RandomIpv4
        | Expr::RandomIpv6
        | Expr::RandomUserAgent
        | Expr::RandomZipf { .. }
        | Expr::TimeUnix
        | Expr::TimeUnixMs
        | Expr::TimeUnixNano
        | Expr::TimeIso
        | Expr::TraceId
        | Expr::TraceIndex
        | Expr::SpanId
        | Expr::Linked { .. }
        | Expr::LinkedKey => {}
        Expr::Concat { parts: items }
        | Expr::List { items }
        | Expr::RandomChoice { items }
        | Expr::RandomWeighted { items, .. } => items.iter_mut().for_each(f),
        Expr::StablePick { of, items } | Expr::In { of, items } => {
            f(of);
            items.iter_mut().for_each(f);
        }
        Expr::Text { of }
        | Expr::RandomExp { mean: of }
        | Expr::Upper { of }
        | Expr::Lower { of }
        | Expr::Round { of, .. }
        | Expr::Pad { of, .. }
        | Expr::ToInt { of }
        | Expr::ToDouble { of }
        | Expr::ToBool { of }
        | Expr::StableUuid { of }
        | Expr::StableHex { of, .. }
        | Expr::StableIpv4 { of }
        | Expr::Not { of }
        | Expr::Neg { of } => f(of),
        Expr::RandomIntBetween { min: a, max: b }
        | Expr::RandomFloatBetween { min: a, max: b, .. }
        | Expr::RandomNormal { mean: a, stddev: b }
        | Expr::RandomLognormal { p50: a, p99: b }
        | Expr::RandomPareto { min: a, alpha: b }
        | Expr::Default { of: a, or: b }
        | Expr::Omit { of: a, value: b }
        | Expr::Binary { left: a, right: b, .. } => {
            f(a);
            f(b);
        }
        Expr::Clamp { of, min, max } => {
            f(of);
            f(min);
            f(max);
        }
    }
}

fn each_text(program: &mut Program, f: &mut impl FnMut(&mut TextId)) {
    program.services.iter_mut().for_each(|s| f(&mut s.name));
    program.resources.iter_mut().flat_map(|r| &mut r.attributes).for_each(|(key, _)| f(key));
    program.attrs.iter_mut().for_each(&mut *f);
    program.links.iter_mut().for_each(|l| f(&mut l.glob));
    for scenario in &mut program.scenarios {
        f(&mut scenario.name);
    }
    for block in &mut program.blocks {
        block.span.name.iter_mut().for_each(&mut *f);
        for (key, value) in &mut block.span.constants {
            f(key);
            constant_texts(value, f);
        }
    }
    for expr in &mut program.exprs {
        match expr {
            Expr::Const { value } => constant_texts(value, f),
            Expr::Linked { key } => f(key),
            _ => {}
        }
    }
}

fn constant_texts(value: &mut Constant, f: &mut impl FnMut(&mut TextId)) {
    match value {
        Constant::Text(text) => f(text),
        Constant::List(items) => items.iter_mut().for_each(|item| {
            if let Constant::Text(text) = item {
                f(text);
            }
        }),
        Constant::Bool(_) | Constant::Int(_) | Constant::Double(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiler::tables::Tables;
    use crate::plan::Resource;

    #[test]
    fn what_nothing_uses_is_left_out_and_the_rest_keeps_its_order() {
        let mut tables = Tables::new();
        tables.text_constant("unused");
        let id = tables.expr(Expr::TraceId);
        let prefix = tables.text_constant("host-");
        let joined = tables.expr(Expr::Concat { parts: [prefix, id].into() });
        tables.expr(Expr::RandomUuid);
        let key = tables.text("host.name");
        tables.program.resources.push(Resource { attributes: vec![(key, joined)] });
        let mut program = tables.program;
        compact(&mut program);
        assert_eq!(program.texts, ["host-", "host.name"]);
        assert_eq!(program.exprs.len(), 3);
        assert_eq!(program.exprs[2], Expr::Concat { parts: [ExprId(1), ExprId(0)].into() });
        assert_eq!(program.resources[0].attributes, [(TextId(1), ExprId(2))]);
    }
}
