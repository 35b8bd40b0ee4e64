//! Tests of every expression by its value.

use crate::interpreter::{Arrivals, Interpreter, Run, Schedule};
use crate::plan::{Chance, Constant, Expr, ExprId, Operator};
use crate::plans::{Maker, Node};
use crate::trace::{OwnedDatum, Trace};
use std::sync::Arc;

const START: u64 = 1_767_225_600_123_456_789;

/// Returns the attribute whose expression `make` makes, in trace `index`.
fn value_at(index: u64, make: impl Fn(&mut Maker) -> ExprId) -> Option<OwnedDatum> {
    let mut m = Maker::new();
    let value = make(&mut m);
    m.scenario("s", 1.0, &[], Node { service: "a", name: "b", attrs: vec![("k", value)], ..Node::default() });
    let schedule = Schedule::new(START, Arrivals::Even { count: 1, per_ns: 1_000_000_000 }).unwrap();
    let run = Arc::new(Run::new(Arc::new(m.plan()), 42, schedule));
    let mut trace = Trace::default();
    Interpreter::new(&run).trace(index, &mut trace);
    let view = run.origin().view(&trace);
    view.span(0).attributes().next().map(|(_, value)| value.to_owned())
}

fn value(make: impl Fn(&mut Maker) -> ExprId) -> Option<OwnedDatum> {
    value_at(0, make)
}

fn text(make: impl Fn(&mut Maker) -> ExprId) -> String {
    match value(make) {
        Some(OwnedDatum::Text(text)) => text,
        other => panic!("{other:?} is no text"),
    }
}

fn words(text: &str) -> Option<OwnedDatum> {
    Some(OwnedDatum::Text(text.into()))
}

fn int(v: i64) -> Constant {
    Constant::Int(v)
}

fn double(v: f64) -> Constant {
    Constant::Double(v)
}

impl Maker {
    fn c(&mut self, value: Constant) -> ExprId {
        self.expr(Expr::Const { value })
    }

    /// Makes an absent value by a division by zero.
    fn absent(&mut self) -> ExprId {
        let zero = self.c(int(0));
        self.expr(Expr::Binary { operator: Operator::Div, left: zero, right: zero })
    }

    /// Makes a text that is stored in the trace, not in the plan.
    fn made(&mut self, text: &str) -> ExprId {
        let (a, b) = (self.constant(text), self.constant(""));
        self.concat(&[a, b])
    }
}

#[test]
fn constants_lists_and_texts_have_their_values() {
    use OwnedDatum::*;
    assert_eq!(value(|m| m.c(int(-5))), Some(Int(-5)));
    assert_eq!(value(|m| m.c(double(0.1))), Some(Double(0.1)));
    assert_eq!(value(|m| m.c(Constant::Bool(true))), Some(Bool(true)));
    assert_eq!(value(|m| m.constant("x")), words("x"));
    let list = |m: &mut Maker| m.c(Constant::List([int(1), int(2)].into()));
    assert_eq!(value(list), Some(List(vec![Int(1), Int(2)])));
    let computed = |m: &mut Maker| {
        let inner = list(m);
        // Items that are absent or of another type than the first one are left out.
        let items = [m.absent(), m.made("a"), m.c(int(3)), inner, m.constant("b")].into();
        m.expr(Expr::List { items })
    };
    assert_eq!(value(computed), Some(List(vec![Text("a".into()), Text("b".into())])));
    for (constant, want) in
        [(int(-5), "-5"), (double(250.0), "250"), (double(1e-9), "1e-9"), (Constant::Bool(false), "false")]
    {
        assert_eq!(
            value(|m| {
                let operand = m.c(constant.clone());
                m.expr(Expr::Text { operand })
            }),
            words(want)
        );
    }
    assert_eq!(
        value(|m| {
            let operand = list(m);
            m.expr(Expr::Text { operand })
        }),
        None
    );
    let float = text(|m| {
        let operand = m.expr(Expr::RandomFloat { min: 25_000, max: 25_000, digits: 2 });
        m.expr(Expr::Text { operand })
    });
    assert_eq!(float, "250.00");
}

#[test]
fn texts_are_joined_whatever_is_written_on_the_way() {
    let joined = |m: &mut Maker| {
        let (a, seven) = (m.made("größe "), m.c(int(7)));
        let upper = m.expr(Expr::Upper { operand: a });
        let padded = m.expr(Expr::Pad { operand: seven, width: 3 });
        let (dash, yes) = (m.constant("-"), m.c(Constant::Bool(true)));
        m.concat(&[dash, upper, padded, dash, yes])
    };
    assert_eq!(text(joined), "-GRÖSSE 007-true");
    let partly = |m: &mut Maker| {
        let (a, b) = (m.constant("a"), m.absent());
        m.concat(&[a, b])
    };
    assert_eq!(value(partly), None);
    // The draws after an absent part happen all the same.
    let behind = |m: &mut Maker| {
        let (uuid, none) = (m.expr(Expr::RandomUuid), m.absent());
        let (operand, or) = (m.concat(&[none, uuid]), m.expr(Expr::RandomUuid));
        m.expr(Expr::Default { operand, or })
    };
    let second = |m: &mut Maker| {
        let uuid = m.expr(Expr::RandomUuid);
        let (items, second) = ([uuid].into(), m.expr(Expr::RandomUuid));
        let _ = m.expr(Expr::List { items });
        m.concat(&[uuid, second])
    };
    assert_eq!(text(behind), text(second)[36..]);
}

#[test]
fn random_texts_have_their_layout() {
    let uuid = text(|m| m.expr(Expr::RandomUuid));
    assert!(uuid.len() == 36 && &uuid[14..15] == "4", "{uuid}");
    for digits in [1, 15, 16, 17, 33, 1024] {
        let hex = text(|m| m.expr(Expr::RandomHex { digits }));
        assert!(hex.len() == digits as usize && hex.bytes().all(|b| b.is_ascii_hexdigit()), "{hex}");
    }
    text(|m| m.expr(Expr::RandomIpv4)).parse::<std::net::Ipv4Addr>().unwrap();
    text(|m| m.expr(Expr::RandomIpv6)).parse::<std::net::Ipv6Addr>().unwrap();
    let agents: std::collections::HashSet<_> =
        (0..40).map(|i| format!("{:?}", value_at(i, |m| m.expr(Expr::RandomUserAgent)))).collect();
    assert!(agents.len() > 10);
    let zipf = |i| value_at(i, |m| m.expr(Expr::RandomZipf { n: 3, s: 1.0 }));
    assert!((0..50).all(|i| matches!(zipf(i), Some(OwnedDatum::Int(1..=3)))));
}

#[test]
fn times_and_ids_are_those_of_the_span() {
    use OwnedDatum::Int;
    assert_eq!(value(|m| m.expr(Expr::TimeUnix)), Some(Int(1_767_225_600)));
    assert_eq!(value(|m| m.expr(Expr::TimeUnixMs)), Some(Int(1_767_225_600_123)));
    assert_eq!(value(|m| m.expr(Expr::TimeUnixNano)), Some(Int(START as i64)));
    assert_eq!(value(|m| m.expr(Expr::TimeIso)), words("2026-01-01T00:00:00.123Z"));
    assert_eq!(value_at(5, |m| m.expr(Expr::TraceIndex)), Some(Int(5)));
    let mut m = Maker::new();
    let attrs = vec![("t", m.expr(Expr::TraceId)), ("s", m.expr(Expr::SpanId))];
    let child = Node { service: "a", name: "c", attrs: attrs.clone(), ..Node::default() };
    let root = Node { service: "a", name: "b", attrs, delay: (2000, 2000), calls: vec![child], ..Node::default() };
    m.scenario("s", 1.0, &[], root);
    let schedule = Schedule::new(START, Arrivals::Even { count: 1, per_ns: 1 }).unwrap();
    let run = Arc::new(Run::new(Arc::new(m.plan()), 42, schedule));
    let mut trace = Trace::default();
    Interpreter::new(&run).trace(3, &mut trace);
    let view = run.origin().view(&trace);
    let id: String = trace.id.iter().map(|b| format!("{b:02x}")).collect();
    for span in view.spans() {
        let got: Vec<_> = span.attributes().map(|(_, v)| v.to_owned()).collect();
        let want = format!("{:016x}", span.record().id);
        assert_eq!(got, [OwnedDatum::Text(id.clone()), OwnedDatum::Text(want)]);
    }
}

#[test]
fn filters_change_their_operand() {
    use OwnedDatum::{Bool, Double, Int};
    let upper = |t: &'static str| {
        move |m: &mut Maker| {
            let operand = m.made(t);
            m.expr(Expr::Upper { operand })
        }
    };
    let lower = |t: &'static str| {
        move |m: &mut Maker| {
            let operand = m.constant(t);
            m.expr(Expr::Lower { operand })
        }
    };
    assert_eq!((text(upper("aé漢z")), text(lower("AÉ漢Z"))), ("AÉ漢Z".into(), "aé漢z".into()));

    let round = |v, digits| {
        text(move |m: &mut Maker| {
            let operand = m.c(double(v));
            let operand = m.expr(Expr::Round { operand, digits });
            m.expr(Expr::Text { operand })
        })
    };
    assert_eq!(
        [round(2.5, 0), round(-2.5, 0), round(1.25, 1), round(-0.001, 2), round(1e300, 0)[..3].into()],
        ["3", "-3", "1.3", "0.00", "100"]
    );

    let pad = |constant: Constant, width| {
        text(move |m: &mut Maker| {
            let operand = m.c(constant.clone());
            m.expr(Expr::Pad { operand, width })
        })
    };
    assert_eq!(
        [pad(int(42), 5), pad(int(-42), 5), pad(int(123), 2), pad(double(-1.5), 6)],
        ["00042", "-0042", "123", "-001.5"]
    );
    assert_eq!(
        text(|m| {
            let operand = m.made("-é");
            m.expr(Expr::Pad { operand, width: 4 })
        }),
        "00-é"
    );

    let to_int = |t: &'static str| {
        value(move |m: &mut Maker| {
            let operand = m.made(t);
            m.expr(Expr::ToInt { operand })
        })
    };
    for (t, want) in [
        ("12", Some(12)),
        (" -7 ", Some(-7)),
        ("12.9", Some(12)),
        ("1e3", Some(1000)),
        ("99999999999999999999", Some(i64::MAX)),
        ("1e400", Some(i64::MAX)),
        ("x", None),
        ("", None),
        ("inf", None),
        ("nan", None),
    ] {
        assert_eq!(to_int(t), want.map(Int), "{t}");
    }
    let to_double = |t: &'static str| {
        value(move |m: &mut Maker| {
            let operand = m.constant(t);
            m.expr(Expr::ToDouble { operand })
        })
    };
    assert_eq!(
        [to_double("1.5"), to_double("1e999"), to_double("x")],
        [Some(Double(1.5)), Some(Double(f64::MAX)), None]
    );
    let convert = |constant: Constant| {
        value(move |m: &mut Maker| {
            let operand = m.c(constant.clone());
            m.expr(Expr::ToInt { operand })
        })
    };
    assert_eq!(
        [convert(double(-2.9)), convert(double(1e300)), convert(Constant::Bool(true))],
        [Some(Int(-2)), Some(Int(i64::MAX)), Some(Int(1))]
    );
    let to_bool = |t: &'static str| {
        value(move |m: &mut Maker| {
            let operand = m.constant(t);
            m.expr(Expr::ToBool { operand })
        })
    };
    assert_eq!([to_bool("true"), to_bool("false"), to_bool("yes")], [Some(Bool(true)), Some(Bool(false)), None]);
    assert_eq!(
        value(|m| {
            let operand = m.c(double(0.0));
            m.expr(Expr::ToBool { operand })
        }),
        Some(Bool(false))
    );

    let clamp = |operand: Constant, min, max| {
        value(move |m: &mut Maker| {
            let (operand, min, max) = (m.c(operand.clone()), m.c(int(min)), m.c(int(max)));
            m.expr(Expr::Clamp { operand, min, max })
        })
    };
    assert_eq!(
        [clamp(int(5), 1, 9), clamp(int(0), 1, 9), clamp(double(9.5), 1, 9)],
        [Some(Int(5)), Some(Int(1)), Some(Int(9))]
    );
    let omit = |t: &'static str| {
        value(move |m: &mut Maker| {
            let (operand, value) = (m.made(t), m.constant("none"));
            m.expr(Expr::Omit { operand, value })
        })
    };
    assert_eq!([omit("none"), omit("some")], [None, words("some")]);
    assert_eq!(
        value(|m| {
            let (operand, or) = (m.absent(), m.c(int(3)));
            m.expr(Expr::Default { operand, or })
        }),
        Some(Int(3))
    );
}

#[test]
fn stable_values_depend_on_the_text_and_the_seed_alone() {
    let stable = |index, number: i64, which: usize| {
        value_at(index, move |m: &mut Maker| {
            // Earlier draws must not matter.
            let operand = m.expr(Expr::RandomInt { min: number, max: number });
            let items = [m.constant("gold"), m.constant("silver"), m.constant("bronze")].into();
            m.expr(match which {
                0 => Expr::StableUuid { operand },
                1 => Expr::StableHex { operand, digits: 100 },
                2 => Expr::StableIpv4 { operand },
                _ => Expr::StablePick { operand, items },
            })
        })
    };
    for which in 0..4 {
        let all: Vec<_> = (0..30).map(|number| stable(0, number, which)).collect();
        assert!((0..30).all(|number| stable(9, number as i64, which) == all[number]));
        let different: std::collections::HashSet<_> = all.iter().map(|v| format!("{v:?}")).collect();
        assert_eq!(different.len(), if which == 3 { 3 } else { 30 });
    }
    let as_text = value(|m| {
        let operand = m.constant("7");
        m.expr(Expr::StableUuid { operand })
    });
    assert_eq!(stable(0, 7, 0), as_text, "an int is its text");
    assert!(matches!(stable(0, 7, 1), Some(OwnedDatum::Text(hex)) if hex.len() == 100));
    assert_eq!(
        value(|m| {
            let operand = m.absent();
            m.expr(Expr::StableHex { operand, digits: 4 })
        }),
        None
    );
}

#[test]
fn operators_give_their_results() {
    use Operator::*;
    use OwnedDatum::{Bool, Double, Int};
    let (t, f) = (Constant::Bool(true), Constant::Bool(false));
    let binary = |a: &Constant, operator, b: &Constant| {
        value(|m| {
            let (left, right) = (m.c(a.clone()), m.c(b.clone()));
            m.expr(Expr::Binary { operator, left, right })
        })
    };
    for (a, operator, b, want) in [
        (int(2), Add, int(3), Some(Int(5))),
        (int(i64::MAX), Add, int(1), Some(Int(i64::MAX))),
        (int(i64::MIN), Sub, int(1), Some(Int(i64::MIN))),
        (int(i64::MIN), Mul, int(-1), Some(Int(i64::MAX))),
        (int(7), Div, int(2), Some(Double(3.5))),
        (int(7), Div, int(0), None),
        (double(7.0), Div, double(0.0), None),
        (int(2), Mul, double(0.5), Some(Double(1.0))),
        (double(f64::MAX), Mul, double(2.0), Some(Double(f64::MAX))),
        (int(2), Eq, double(2.0), Some(Bool(true))),
        (int(2), Ne, int(2), Some(Bool(false))),
        (int(2), Lt, double(2.5), Some(Bool(true))),
        (int(2), Ge, int(3), Some(Bool(false))),
        (int(2), Le, int(2), Some(Bool(true))),
        (int(3), Gt, int(2), Some(Bool(true))),
        (t.clone(), And, f.clone(), Some(Bool(false))),
        (t.clone(), And, t.clone(), Some(Bool(true))),
        (f.clone(), Or, t.clone(), Some(Bool(true))),
        (f.clone(), Or, f.clone(), Some(Bool(false))),
        (t.clone(), Or, int(1), Some(Bool(true))),
        (f.clone(), Or, int(1), None),
        (t.clone(), Eq, int(1), None),
        (t.clone(), Lt, f.clone(), None),
        (t.clone(), Add, f.clone(), None),
    ] {
        assert_eq!(binary(&a, operator, &b), want, "{a:?} {operator:?} {b:?}");
    }
    let texts = |a: &'static str, operator, b: &'static str| {
        value(move |m: &mut Maker| {
            let (left, right) = (m.made(a), m.constant(b));
            m.expr(Expr::Binary { operator, left, right })
        })
    };
    assert_eq!(texts("a", Add, "b"), words("ab"));
    assert_eq!(
        [texts("a", Eq, "a"), texts("a", Lt, "b"), texts("b", Le, "a")],
        [Some(Bool(true)), Some(Bool(true)), Some(Bool(false))]
    );
    assert_eq!(
        value(|m| {
            let operand = m.c(f.clone());
            m.expr(Expr::Not { operand })
        }),
        Some(Bool(true))
    );
    assert_eq!(
        value(|m| {
            let operand = m.c(int(i64::MIN));
            m.expr(Expr::Neg { operand })
        }),
        Some(Int(i64::MAX))
    );
    assert_eq!(
        value(|m| {
            let operand = m.c(double(1.5));
            m.expr(Expr::Neg { operand })
        }),
        Some(Double(-1.5))
    );
    let within = |n| {
        value(move |m: &mut Maker| {
            let (operand, items) = (m.c(int(n)), [m.constant("x"), m.c(int(2)), m.c(double(3.0))].into());
            m.expr(Expr::In { operand, items })
        })
    };
    assert_eq!([within(2), within(3), within(4)], [Some(Bool(true)), Some(Bool(true)), Some(Bool(false))]);
    // `or` and `and` evaluate the right side only if it decides, so the draw after it is the same.
    let drawn = |decided: bool| {
        text(move |m: &mut Maker| {
            let (left, right) = (m.c(Constant::Bool(decided)), m.expr(Expr::RandomBool { chance: Chance::ONE }));
            let either = m.expr(Expr::Binary { operator: Or, left, right });
            let uuid = m.expr(Expr::RandomUuid);
            m.concat(&[either, uuid])
        })
    };
    assert_eq!(drawn(true)[4..], text(|m| m.expr(Expr::RandomUuid)));
    assert_ne!(drawn(false)[4..], text(|m| m.expr(Expr::RandomUuid)));
}

#[test]
fn invalid_parameters_give_absent_values() {
    assert_eq!(
        value(|m| {
            let (mean, stddev) = (m.constant("x"), m.c(int(1)));
            m.expr(Expr::RandomNormal { mean, stddev })
        }),
        None
    );
    assert_eq!(
        value(|m| {
            let mean = m.c(int(-1));
            m.expr(Expr::RandomExp { mean })
        }),
        None
    );
    assert_eq!(
        value(|m| {
            let (min, max) = (m.absent(), m.c(int(1)));
            m.expr(Expr::RandomIntBetween { min, max })
        }),
        None
    );
    let between = value(|m| {
        let (min, max) = (m.c(double(2.0)), m.c(double(1.0)));
        m.expr(Expr::RandomFloatBetween { min, max, digits: 3 })
    });
    assert!(matches!(between, Some(OwnedDatum::Double(v)) if (1.0..=2.0).contains(&v)));
    assert_eq!(
        value(|m| {
            let (p50, p99) = (m.c(int(5)), m.c(int(1)));
            m.expr(Expr::RandomLognormal { p50, p99 })
        }),
        None
    );
    assert_eq!(
        value(|m| {
            let (min, alpha) = (m.c(int(5)), m.c(int(0)));
            m.expr(Expr::RandomPareto { min, alpha })
        }),
        None
    );
}

#[test]
fn a_branch_evaluates_the_value_it_takes_and_no_other() {
    use OwnedDatum::*;
    let branch = |condition: Constant| {
        value(move |m| {
            let (condition, then, otherwise) = (m.c(condition.clone()), m.c(int(1)), m.c(int(2)));
            m.expr(Expr::If { condition, then, otherwise })
        })
    };
    assert_eq!(branch(Constant::Bool(true)), Some(Int(1)));
    assert_eq!(branch(Constant::Bool(false)), Some(Int(2)));
    assert_eq!(branch(int(1)), None, "only a bool decides");
    // The expression after the branch draws what the other value would have drawn.
    let after = |holds: bool| {
        text(move |m| {
            let (condition, drawn, none) = (m.c(Constant::Bool(holds)), m.expr(Expr::RandomUuid), m.constant(""));
            let branch = m.expr(Expr::If { condition, then: drawn, otherwise: none });
            m.concat(&[branch, drawn])
        })
    };
    assert_eq!(after(true)[..36], after(false)[..]);
}

#[test]
fn a_key_is_looked_up_and_an_item_counted_off() {
    use OwnedDatum::*;
    let lookup = |operand: Constant| {
        value(move |m| {
            let operand = m.c(operand.clone());
            let items = [
                m.c(int(1)),
                m.constant("one"),
                m.c(double(2.5)),
                m.constant("more"),
                m.c(int(1)),
                m.constant("again"),
            ];
            m.expr(Expr::Lookup { operand, items: items.into() })
        })
    };
    assert_eq!(lookup(int(1)), words("one"));
    assert_eq!(lookup(double(1.0)), words("one"));
    assert_eq!(lookup(double(2.5)), words("more"));
    assert_eq!((lookup(int(2)), lookup(Constant::Bool(true))), (None, None));
    let texts = |key: &'static str| {
        value(move |m| {
            let (operand, a, b) = (m.made(key), m.constant("ch"), m.constant("de"));
            let items = [a, m.c(int(41)), b, m.c(int(49))].into();
            m.expr(Expr::Lookup { operand, items })
        })
    };
    assert_eq!((texts("de"), texts("ch"), texts("d")), (Some(Int(49)), Some(Int(41)), None));
    let nth = |at: Constant| {
        value(move |m| {
            let (operand, items) = (m.c(at.clone()), [m.constant("a"), m.constant("b")].into());
            m.expr(Expr::Nth { operand, items })
        })
    };
    assert_eq!((nth(int(0)), nth(int(1)), nth(double(1.9))), (words("a"), words("b"), words("b")));
    for beyond in [int(2), int(-1), int(i64::MAX), int(i64::MIN), Constant::Bool(true)] {
        assert_eq!(nth(beyond.clone()), None, "{beyond:?}");
    }
}

#[test]
fn a_remainder_has_the_sign_of_the_divisor() {
    use OwnedDatum::*;
    let rest = |a: Constant, b: Constant| {
        value(move |m| {
            let (left, right) = (m.c(a.clone()), m.c(b.clone()));
            m.expr(Expr::Binary { operator: Operator::Rem, left, right })
        })
    };
    for (a, b, want) in [(7, 3, 1), (-7, 3, 2), (7, -3, -2), (-7, -3, -1), (6, 3, 0), (-6, 3, 0), (i64::MIN, -1, 0)] {
        assert_eq!(rest(int(a), int(b)), Some(Int(want)), "{a} % {b}");
    }
    assert_eq!(rest(double(7.5), int(2)), Some(Double(1.5)));
    assert_eq!(rest(double(-7.5), int(2)), Some(Double(0.5)));
    assert_eq!(rest(int(-4), double(2.0)), Some(Double(0.0)));
    assert_eq!((rest(int(7), int(0)), rest(double(7.0), double(0.0))), (None, None));
}

#[test]
fn a_text_has_the_length_it_is_given() {
    let length = |make: fn(ExprId) -> Expr, count: Constant| {
        let made = value(move |m| {
            let count = m.c(count.clone());
            m.expr(make(count))
        });
        made.map(|made| if let OwnedDatum::Text(text) = made { text.len() } else { panic!("{made:?} is no text") })
    };
    let makes: [fn(ExprId) -> Expr; 2] =
        [|count| Expr::RandomText { count, max: 100 }, |count| Expr::RandomHexUpTo { count, max: 100 }];
    for make in makes {
        for (count, want) in [(int(0), 0), (int(37), 37), (int(101), 100), (int(-5), 0), (double(9.9), 9)] {
            assert_eq!(length(make, count.clone()), Some(want), "{count:?}");
        }
        assert_eq!(length(make, Constant::Bool(true)), None);
    }
}
