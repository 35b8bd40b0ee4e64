use super::*;
use proptest::prelude::*;

fn overlap(a: Point, b: Point) -> bool {
    (a.x - b.x).abs() < BOX.width && (a.y - b.y).abs() < BOX.height
}

/// Checks that each box is within the map, and none overlap.
fn check(nodes: usize, calls: &[Call]) -> Layout {
    let layout = arrange(nodes, calls);
    for (i, a) in layout.boxes.iter().enumerate() {
        assert!(a.x >= MARGIN && a.x + BOX.width + MARGIN <= layout.size.width, "{i}: {a:?} in {:?}", layout.size);
        assert!(a.y >= MARGIN && a.y + BOX.height + MARGIN <= layout.size.height, "{i}: {a:?} in {:?}", layout.size);
        for (j, b) in layout.boxes[..i].iter().enumerate() {
            assert!(!overlap(*a, *b), "{i} {a:?} on {j} {b:?}");
        }
    }
    assert_eq!(layout.routes.len(), calls.len());
    assert!(layout.routes.iter().all(|route| !route.line.is_empty()));
    layout
}

fn calls(pairs: &[(usize, usize)]) -> Vec<Call> {
    pairs.iter().map(|&(from, to)| Call { from, to }).collect()
}

proptest! {
    #[test]
    fn no_two_boxes_overlap(nodes in 1usize..60, pairs in prop::collection::vec((0usize..60, 0usize..60), 0..120)) {
        let pairs: Vec<_> = pairs.into_iter().map(|(from, to)| (from % nodes, to % nodes)).collect();
        check(nodes, &calls(&pairs));
    }
}

#[test]
fn callers_are_to_the_left_of_their_callees() {
    let pairs = [(0, 1), (1, 2), (0, 2), (3, 2), (2, 4)];
    let layout = check(5, &calls(&pairs));
    for (from, to) in pairs {
        assert!(layout.boxes[from].x < layout.boxes[to].x);
    }
    assert_eq!(layout.boxes[3].x, layout.boxes[1].x, "what nobody calls stands close to what it calls");
    assert_eq!(layout.boxes[2].y, layout.boxes[4].y, "a chain is a straight line");
}

#[test]
fn one_call_of_a_cycle_goes_back() {
    let layout = check(3, &calls(&[(0, 1), (1, 2), (2, 0), (1, 1)]));
    let x: Vec<i32> = layout.boxes.iter().map(|b| b.x).collect();
    assert!(x[0] < x[1] && x[1] < x[2]);
    assert!(layout.routes[2].tip.contains("l-7"), "{}", layout.routes[2].tip);
    assert!(layout.routes[3].labels.is_empty());
}

#[test]
fn an_edge_passes_between_boxes() {
    // 0 calls 3 over two columns, each of which has a box where the line would be.
    let layout = check(4, &calls(&[(0, 1), (1, 2), (2, 3), (0, 3)]));
    assert_eq!(layout.routes[3].labels.len(), 3, "at its end, and in each column that it passes");
    for label in &layout.routes[3].labels[1..] {
        let passed = layout.boxes.iter().find(|b| b.x + BOX.width / 2 == label.middle.x).unwrap();
        assert!(label.middle.y < passed.y || label.middle.y > passed.y + BOX.height, "{label:?} {passed:?}");
    }
}

#[test]
fn crossings_are_removed() {
    let layout = check(4, &calls(&[(0, 3), (1, 2)]));
    assert_eq!(layout.boxes[0].y, layout.boxes[3].y);
    let layout = check(6, &calls(&[(0, 1), (0, 2), (1, 5), (2, 4), (2, 3)]));
    let y: Vec<i32> = layout.boxes.iter().map(|b| b.y).collect();
    assert_eq!(y[1] < y[2], y[5] < y[4].min(y[3]));
}

#[test]
fn separate_parts_fill_shelves() {
    let layout = check(15, &[]);
    assert!(layout.size.width > 4 * BOX.width && layout.size.width <= PANEL, "{:?}", layout.size);
    assert_eq!(check(0, &[]).size.height, 0);
}
