//! Tables of text with aligned columns.

use brownout_golden::csv;

/// How the cells of a column are aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table with a header and rows of the same number of cells.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

/// Spaces between columns.
const GAP: &str = "  ";

impl Table {
    /// A table without rows. Headers start with `>` where their column holds numbers.
    pub fn new(headers: &[&str]) -> Self {
        let columns = headers
            .iter()
            .map(|header| match header.strip_prefix('>') {
                Some(header) => (header.to_owned(), Align::Right),
                None => ((*header).to_owned(), Align::Left),
            })
            .collect();
        Self {
            columns,
            rows: Vec::new(),
        }
    }

    /// Adds a row; missing cells are empty, surplus ones are dropped.
    pub fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        let mut cells: Vec<String> = cells.into_iter().map(Into::into).collect();
        cells.resize(self.columns.len(), String::new());
        self.rows.push(cells);
    }

    /// The text: header, rule, rows; no space at the end of a line.
    pub fn render(&self) -> String {
        let width = |text: &str| text.chars().count();
        let widths: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(i, (header, _))| {
                let cells = self.rows.iter().map(|row| width(&row[i]));
                cells.chain([width(header)]).max().unwrap_or(0)
            })
            .collect();
        let line = |cells: &[&str]| {
            let padded: Vec<String> = cells
                .iter()
                .zip(&self.columns)
                .zip(&widths)
                .map(|((cell, (_, align)), &width)| match align {
                    Align::Left => format!("{cell:<width$}"),
                    Align::Right => format!("{cell:>width$}"),
                })
                .collect();
            format!("{}\n", padded.join(GAP).trim_end())
        };
        let headers: Vec<&str> = self.columns.iter().map(|(h, _)| h.as_str()).collect();
        let rules: Vec<String> = widths.iter().map(|&w| "-".repeat(w)).collect();
        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        let mut text = line(&headers) + &line(&rules);
        for row in &self.rows {
            let cells: Vec<&str> = row.iter().map(String::as_str).collect();
            text.push_str(&line(&cells));
        }
        text
    }

    /// The table in Markdown.
    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| {
            let cells: Vec<String> = cells
                .iter()
                .map(|cell| cell.replace('|', "\\|").replace(['\r', '\n'], " "))
                .collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let headers: Vec<String> = self.columns.iter().map(|(h, _)| h.clone()).collect();
        let rules = self.columns.iter().map(|(_, align)| match align {
            Align::Left => "---".to_owned(),
            Align::Right => "---:".to_owned(),
        });
        let rows = self.rows.iter().map(|row| line(row));
        line(&headers) + &line(&rules.collect::<Vec<_>>()) + &rows.collect::<String>()
    }

    /// The table as CSV (RFC 4180), with its header.
    pub fn csv(&self) -> String {
        let line = |cells: &mut dyn Iterator<Item = &String>| {
            let cells: Vec<String> = cells.map(|cell| csv::cell(cell)).collect();
            cells.join(",") + "\n"
        };
        let mut text = line(&mut self.columns.iter().map(|(header, _)| header));
        for row in &self.rows {
            text += &line(&mut row.iter());
        }
        text
    }
}

/// Named facts, one a line, values aligned.
pub fn facts<V: AsRef<str>>(facts: &[(&str, V)]) -> String {
    let width = facts.iter().map(|(name, _)| name.chars().count()).max();
    let width = width.unwrap_or(0);
    facts
        .iter()
        .map(|(name, value)| format!("  {name:<width$}  {}\n", value.as_ref()))
        .collect()
}

/// A share as a percentage with two digits.
pub fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_align_left_and_numbers_right_without_trailing_spaces() {
        let mut table = Table::new(&["name", ">words", "note"]);
        table.row(["conv1", "8", ""]);
        table.row(["x", "1024", "padded"]);
        table.row(["short"]);
        assert_eq!(
            table.render(),
            "name   words  note\n\
             -----  -----  ------\n\
             conv1      8\n\
             x       1024  padded\n\
             short\n"
        );
    }
}
