//! Tables for people: names to the left, figures to the right, two spaces between columns.

use crate::text::foreign::foreign;
use std::fmt::{self, Display, Formatter};
use unicode_width::UnicodeWidthStr;

pub struct Table {
    /// The number of columns from the left that hold names.
    names: usize,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Makes a table whose first `names` columns hold names.
    pub fn new(names: usize, head: &[&str]) -> Table {
        Table { names, rows: vec![head.iter().map(ToString::to_string).collect()] }
    }

    /// Adds a row with as many cells as the head has.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells.iter().map(|cell| foreign(cell).to_string()).collect());
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width =
            |at| self.rows.iter().filter_map(|row| row.get(at)).map(|cell: &String| cell.width()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let space = " ".repeat(width - cell.width());
                let between = if at > 0 { "  " } else { "" };
                line += &match at < self.names {
                    true => format!("{between}{cell}{space}"),
                    false => format!("{between}{space}{cell}"),
                };
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_their_visible_width() {
        let mut table = Table::new(1, &["name", "n"]);
        table.row(vec!["日本".into(), "5".into()]);
        table.row(vec!["a\x1b[2Jb".into(), "1,000".into()]);
        assert_eq!(table.to_string(), "name             n\n日本             5\na\\u{1b}[2Jb  1,000\n");
    }
}
