//! Rows of values, and `choice: file.csv`: rows in a file of comma-separated values, whose first line contains the names of
//! the columns.

use std::collections::HashSet;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Scalar;
use super::fields::Context;
use crate::language::diagnostic::{Problem, short};
use crate::language::files;
use crate::language::source::{Loc, Located};
use crate::language::template::{Part, Template};

/// The maximum size of a table in bytes.
const MAX_BYTES: u64 = 4 << 20;
/// The maximum size of all tables of a compilation in bytes, each counted as often as it is named.
const MAX_TOTAL_BYTES: u64 = 16 << 20;
/// The maximum number of values in a table, including the names of its columns.
const MAX_VALUES: usize = 200_000;

/// Rows with the same columns.
#[derive(Clone, Debug)]
pub struct Rows {
    pub count: usize,
    pub columns: Vec<Column>,
}

/// A column, whose constants have one type.
#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    /// The values by row.
    pub values: Vec<Scalar>,
}

/// The source of tables.
#[derive(Clone, Copy)]
pub struct Tables<'a> {
    /// The directory of the file that names them; `None` if no file may be read.
    pub folder: Option<&'a Path>,
    /// The size in bytes of all tables that were read so far.
    pub bytes: &'a AtomicU64,
}

/// Returns the rows of the table in a file, which `name` names at `loc`.
pub(super) fn rows(cx: &mut Context, name: &str, loc: Loc) -> Option<Rows> {
    let Some(folder) = cx.limits.tables.folder else {
        cx.report(Problem::TablesNotRead { file: short(name) }, loc);
        return None;
    };
    let read = read(&folder.join(name), cx.limits.tables.bytes);
    let rows = read.and_then(|text| parse(&text, loc));
    rows.map_err(|fault| cx.report(fault.problem(name), loc)).ok()
}

/// The reason why a table can't be used.
#[derive(Debug, PartialEq)]
enum Fault {
    Unreadable(String),
    /// The line, the number of its values, and the number of columns.
    Ragged {
        line: u64,
        found: usize,
        columns: usize,
    },
    Head(String),
}

impl Fault {
    fn problem(self, name: &str) -> Problem {
        let file = short(name);
        match self {
            Fault::Unreadable(reason) => Problem::TableUnreadable { file, reason },
            Fault::Ragged { line, found, columns } => Problem::TableRow { file, line, found, columns },
            Fault::Head(why) => Problem::TableHead { file, why },
        }
    }
}

fn unreadable(reason: impl ToString) -> Fault {
    Fault::Unreadable(reason.to_string())
}

/// Reads the text of a file. A file that could block is not opened, and not more is read than there is room for.
fn read(path: &Path, total: &AtomicU64) -> Result<String, Fault> {
    let io = |error| unreadable(files::reason(&error));
    let metadata = fs::metadata(path).map_err(io)?;
    if !metadata.is_file() {
        return Err(unreadable(format!("it is {}, not a file", files::what(&metadata))));
    }
    let too_large = || unreadable(format!("it has more than {} MiB", MAX_BYTES >> 20));
    if metadata.len() > MAX_BYTES {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize + 1);
    fs::File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).map_err(io)?;
    let length = bytes.len() as u64;
    if length > MAX_BYTES {
        return Err(too_large());
    }
    if total.fetch_add(length, Ordering::Relaxed) + length > MAX_TOTAL_BYTES {
        return Err(unreadable(format!("with it, all tables have more than {} MiB", MAX_TOTAL_BYTES >> 20)));
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = 1 + error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count();
        unreadable(format!("it is not UTF-8 in line {line}"))
    })
}

fn parse(text: &str, loc: Loc) -> Result<Rows, Fault> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // All rows are read here, so that the line of one that is too short is known.
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let (mut names, mut cells): (Vec<String>, Vec<Vec<String>>) = (vec![], vec![]);
    let mut left = MAX_VALUES;
    for record in reader.records() {
        let record = record.map_err(unreadable)?;
        let line = record.position().map_or(0, |position| {
            // The record before may be followed by empty lines.
            let from = &text.as_bytes()[position.byte() as usize..];
            let empty = from.iter().take_while(|b| matches!(b, b'\r' | b'\n')).filter(|b| **b == b'\n').count();
            position.line() + empty as u64
        });
        left = left
            .checked_sub(record.len())
            .ok_or_else(|| unreadable(format!("it has more than {MAX_VALUES} values")))?;
        if names.is_empty() {
            names = record.iter().map(|name| name.trim().to_owned()).collect();
            cells = vec![vec![]; names.len()];
            continue;
        }
        if record.len() != names.len() {
            return Err(Fault::Ragged { line, found: record.len(), columns: names.len() });
        }
        cells.iter_mut().zip(&record).for_each(|(column, cell)| column.push(cell.to_owned()));
    }
    let mut seen = HashSet::new();
    if let Some(name) = names.iter().find(|name| name.is_empty() || !seen.insert(name.as_str())) {
        let is =
            if name.is_empty() { "a column has no name".into() } else { format!("two columns are named `{name}`") };
        return Err(Fault::Head(is));
    }
    let count = cells.first().map_or(0, Vec::len);
    if count == 0 {
        return Err(Fault::Head("no row stands below the names of the columns".into()));
    }
    let column = |(name, cells): (String, Vec<String>)| Column { name, values: values(cells, loc) };
    Ok(Rows { count, columns: names.into_iter().zip(cells).map(column).collect() })
}

/// Returns the values of a column, all of one type: that of all of its cells, or text.
fn values(cells: Vec<String>, loc: Loc) -> Vec<Scalar> {
    fn all<T>(cells: &[String], read: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
        cells.iter().map(|cell| read(cell)).collect()
    }
    if let Some(bools) = all(&cells, |cell| matches!(cell, "true" | "false").then_some(cell == "true")) {
        return bools.into_iter().map(|value| Scalar::Bool(Located::new(value, loc))).collect();
    }
    if let Some(ints) = all(&cells, int) {
        return ints.into_iter().map(|value| Scalar::Int(Located::new(value, loc))).collect();
    }
    if let Some(doubles) = all(&cells, double) {
        return doubles.into_iter().map(|value| Scalar::Double(Located::new(value, loc))).collect();
    }
    let parts = |cell: String| if cell.is_empty() { vec![] } else { vec![Part::Text(cell)] };
    cells.into_iter().map(|cell| Scalar::Text(Template { parts: parts(cell), loc })).collect()
}

/// Returns an int that is written as it is printed; `007` and `+5` are texts.
fn int(cell: &str) -> Option<i64> {
    let value: i64 = cell.parse().ok()?;
    (value.to_string() == cell).then_some(value)
}

/// Returns a finite number in digits, with a point or an exponent, and without leading zeros.
fn double(cell: &str) -> Option<f64> {
    let unsigned = cell.strip_prefix('-').unwrap_or(cell);
    let plain = unsigned.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b));
    let begins = unsigned.starts_with(|c: char| c.is_ascii_digit());
    let has_zeros = unsigned.len() > 1 && unsigned.starts_with('0') && unsigned.as_bytes()[1].is_ascii_digit();
    cell.parse().ok().filter(|value: &f64| value.is_finite() && plain && begins && !has_zeros)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::source::START;

    fn column(cells: &[&str]) -> Vec<Scalar> {
        values(cells.iter().map(|cell| cell.to_string()).collect(), START)
    }

    #[test]
    fn a_column_has_the_type_of_all_its_cells() {
        assert!(matches!(column(&["1", "-20", "0"])[1], Scalar::Int(Located { value: -20, .. })));
        assert!(matches!(column(&["1", "2.5", "1e3"])[0], Scalar::Double(Located { value: 1.0, .. })));
        assert!(matches!(column(&["true", "false"])[1], Scalar::Bool(Located { value: false, .. })));
        for cells in [["1", "007"], ["1", ""], ["1.5", "00.5"], ["1", "+5"], ["true", "1"], ["1", "1e999"], [".5", "1"]]
        {
            assert!(column(&cells).iter().all(|value| matches!(value, Scalar::Text(_))), "{cells:?}");
        }
        let Scalar::Text(text) = &column(&["<<x>>"])[0] else { panic!("no text") };
        assert_eq!(text.constant(), Some("<<x>>"), "a cell is no template");
    }

    #[test]
    fn a_table_is_as_rfc_4180_has_it() {
        let rows = parse("\u{feff}name, share\r\n\"a, \"\"b\"\"\",1\r\n\"two\nlines\",2\r\n", START).unwrap();
        let names: Vec<_> = rows.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!((rows.count, names), (2, vec!["name", "share"]));
        let text = |row: usize| match &rows.columns[0].values[row] {
            Scalar::Text(text) => text.constant().unwrap().to_owned(),
            _ => panic!("no text"),
        };
        assert_eq!((text(0), text(1)), ("a, \"b\"".into(), "two\nlines".into()));
    }

    #[test]
    fn what_is_no_table_is_told_with_its_line() {
        let fault = |text: &str| parse(text, START).unwrap_err();
        assert_eq!(fault("a,b\n1,2\n\n3\n"), Fault::Ragged { line: 4, found: 1, columns: 2 });
        assert_eq!(fault("a,b\n1,2,3\n"), Fault::Ragged { line: 2, found: 3, columns: 2 });
        for text in ["", "a,b\n", "a,a\n1,2\n", "a,\n1,2\n"] {
            assert!(matches!(fault(text), Fault::Head(_)), "{text:?}");
        }
        let many = format!("a\n{}", "1\n".repeat(MAX_VALUES));
        assert!(matches!(fault(&many), Fault::Unreadable(_)));
        assert_eq!(parse(&many[..many.len() - 2], START).unwrap().count, MAX_VALUES - 1);
    }

    #[test]
    fn no_more_is_read_than_there_is_room_for() {
        let folder = tempfile::tempdir().unwrap();
        let (path, total) = (folder.path().join("a.csv"), AtomicU64::new(0));
        let reason = |path: &Path| match read(path, &total) {
            Err(Fault::Unreadable(reason)) => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(reason(&path), "there is no such file");
        assert_eq!(reason(folder.path()), "it is a directory, not a file");
        fs::write(&path, b"a\nx\n\xff\n").unwrap();
        assert_eq!(reason(&path), "it is not UTF-8 in line 3");
        fs::File::create(&path).unwrap().set_len(100 << 20).unwrap();
        assert_eq!(reason(&path), "it has more than 4 MiB");
        fs::write(&path, vec![b'a'; MAX_BYTES as usize]).unwrap();
        let taken = (0..).take_while(|_| read(&path, &total).is_ok()).count();
        assert_eq!(taken, 3);
        assert_eq!(reason(&path), "with it, all tables have more than 16 MiB");
    }
}
