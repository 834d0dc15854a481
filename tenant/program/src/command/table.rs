//! Prints a list as a table with aligned columns, for a person.

use landbridge_wire::printable::one_line;

/// The rows under their heads. Each column is as wide as its widest cell. A cell is one line without anything that a
/// terminal would obey, so that no name forges a row.
pub fn aligned(heads: &[&str], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| one_line(cell)).collect()).collect();
    let wide = |at: usize, head: &str| {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
        cells.max().unwrap_or(0).max(head.len())
    };
    let widths: Vec<usize> = heads.iter().enumerate().map(|(at, head)| wide(at, head)).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for (cell, width) in cells.zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count()) + 2));
        }
        line.truncate(line.trim_end().len());
        line.push('\n');
        line
    };
    let mut text = line(&mut heads.iter().copied());
    for row in &rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["ä".to_owned(), "long cell".to_owned()], vec!["bbb".to_owned(), String::new()]];
        assert_eq!(aligned(&["A", "HEAD"], &rows), "A    HEAD\nä    long cell\nbbb\n");
    }

    #[test]
    fn a_cell_forges_no_row_and_turns_no_text_round() {
        let rows = [vec!["a\nFORGED\u{202e}\u{1b}[2J".to_owned()]];
        assert_eq!(aligned(&["A"], &rows), "A\na\u{fffd}FORGED\u{fffd}\u{fffd}[2J\n");
    }
}
