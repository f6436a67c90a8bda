//! A plot as SVG, drawn by plotters, once for a wide page and once for a narrow one.
//!
//! Colours are those of a light page; the style turns them into a dark page's by their values, which is why they are all in
//! [`Ink`]. Invariant: every axis has its title.

use std::error::Error;
use std::ops::Range;

use anyhow::anyhow;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::*;

use super::axis::Axis;

/// Place of the letters' baseline: plotters draws them smaller than it says, by this factor.
const LETTERS: f64 = 1.24;

/// What plotters draws for one dot, bar or area.
type Shape<'b> = DynElement<'static, SVGBackend<'b>, (f64, f64)>;

/// What is drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    /// The first thing; target A.
    First,
    /// The second; target B.
    Second,
    /// The third.
    Third,
    /// What others are compared with.
    Reference,
    /// Axes and their text.
    Frame,
    /// The grid.
    Grid,
}

impl Ink {
    fn colour(self) -> RGBColor {
        match self {
            Ink::First => RGBColor(0x1B, 0x6C, 0xA8),
            Ink::Second => RGBColor(0xC8, 0x50, 0x0A),
            Ink::Third => RGBColor(0x2A, 0x7F, 0x62),
            Ink::Reference => RGBColor(0x8A, 0x93, 0x9E),
            Ink::Frame => RGBColor(0x4B, 0x55, 0x63),
            Ink::Grid => RGBColor(0xE3, 0xE6, 0xEA),
        }
    }

    /// The class of its sample in a legend.
    pub(super) fn class(self) -> &'static str {
        match self {
            Ink::First => "first",
            Ink::Second => "second",
            Ink::Third => "third",
            Ink::Reference | Ink::Frame | Ink::Grid => "reference",
        }
    }
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stroke {
    Plain,
    /// Where others may lie on top of it.
    Thick,
    /// On top of others.
    Thin,
    /// One of several: its like are drawn faintly, and something else sums them up.
    Faint,
    /// Under another line that may cover it.
    Broad,
    Dashed,
}

/// What is drawn, in the values of the axes.
#[derive(Debug, Clone)]
pub(super) enum Mark {
    /// From point to point.
    Line { ink: Ink, stroke: Stroke, points: Vec<(f64, f64)> },
    /// A dot each.
    Dots { ink: Ink, points: Vec<(f64, f64)> },
    /// From 0 up, this wide.
    Bars { ink: Ink, width: f64, points: Vec<(f64, f64)> },
    /// From the bottom to the top, between two values of x.
    Column { ink: Ink, from: f64, to: f64 },
    /// From the left to the right, between two values of y.
    Band { ink: Ink, from: f64, to: f64 },
}

/// A plot.
#[derive(Debug, Clone)]
pub(super) struct Chart {
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) marks: Vec<Mark>,
}

/// For which page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Wide,
    Narrow,
}

impl Format {
    fn size(self) -> (u32, u32) {
        match self {
            Format::Wide => (760, 300),
            Format::Narrow => (360, 270),
        }
    }

    fn letters(self) -> f64 {
        match self {
            Format::Wide => 12.5 * LETTERS,
            Format::Narrow => 11.5 * LETTERS,
        }
    }
}

impl Chart {
    /// As an SVG element, to stand in HTML.
    pub(super) fn svg(&self, format: Format) -> anyhow::Result<String> {
        let mut text = String::new();
        {
            let area = SVGBackend::with_string(&mut text, format.size()).into_drawing_area();
            self.draw(&area, format).map_err(|error| anyhow!("drawing a plot: {error}"))?;
            area.present().map_err(|error| anyhow!("drawing a plot: {error}"))?;
        }
        // Inside of HTML it needs no namespace; without a width it is as wide as its place.
        let (width, height) = format.size();
        let start = text.find("<svg").unwrap_or(0);
        let head = format!("<svg width=\"{width}\" height=\"{height}\"");
        let text = text[start..].replacen(&head, "<svg", 1);
        Ok(text.replacen(" xmlns=\"http://www.w3.org/2000/svg\"", "", 1))
    }

    fn draw(
        &self,
        area: &DrawingArea<SVGBackend<'_>, Shift>,
        format: Format,
    ) -> Result<(), Box<dyn Error>> {
        let letters = format.letters();
        let frame = Ink::Frame.colour();
        let text = ("sans-serif", letters).into_font().color(&frame);
        let mut chart = ChartBuilder::on(area)
            .margin_top(10)
            .margin_right(18)
            .x_label_area_size((letters * 2.9) as u32)
            .y_label_area_size((letters * 4.6) as u32)
            .build_cartesian_2d(Ticked(self.x.clone()), Ticked(self.y.clone()))?;
        for mark in self.marks.iter().filter(|mark| mark.is_ground()) {
            chart.draw_series(self.shapes(mark))?;
        }
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(Ink::Grid.colour())
            .axis_style(frame)
            .set_all_tick_mark_size(4)
            .label_style(text.clone())
            .axis_desc_style(text)
            .x_labels(self.x.ticks.len().max(1))
            .y_labels(self.y.ticks.len().max(1))
            .x_desc(self.x.title.as_str())
            .y_desc(self.y.title.as_str())
            .draw()?;
        for mark in &self.marks {
            match mark {
                Mark::Column { .. } | Mark::Band { .. } => {}
                Mark::Line { ink, stroke: Stroke::Dashed, points } => {
                    let style = ink.colour().stroke_width(2);
                    chart.draw_series(DashedLineSeries::new(self.placed(points), 6, 4, style))?;
                }
                Mark::Line { ink, stroke, points } => {
                    let style = pen(*ink, *stroke);
                    chart.draw_series(LineSeries::new(self.placed(points), style))?;
                }
                Mark::Dots { .. } | Mark::Bars { .. } => {
                    chart.draw_series(self.shapes(mark))?;
                }
            };
        }
        Ok(())
    }

    /// Values as places, without those outside.
    fn placed(&self, points: &[(f64, f64)]) -> Vec<(f64, f64)> {
        points
            .iter()
            .filter(|(x, y)| x.is_finite() && y.is_finite())
            .map(|(x, y)| (self.x.scale.place(*x), self.y.scale.place(*y)))
            .filter(|(x, y)| self.x.holds(*x) && self.y.holds(*y))
            .collect()
    }

    /// What isn't a line.
    fn shapes<'b>(&self, mark: &Mark) -> Vec<Shape<'b>> {
        match mark {
            Mark::Line { .. } => Vec::new(),
            Mark::Dots { ink, points } => {
                let dot = |at| Circle::new(at, 4, ink.colour().filled()).into_dyn();
                self.placed(points).into_iter().map(dot).collect()
            }
            Mark::Bars { ink, width, points } => {
                let style = ink.colour().filled();
                let bar = |(x, y): (f64, f64)| {
                    let corners = [(x - width / 2.0, self.y.low), (x + width / 2.0, y)];
                    Rectangle::new(corners, style).into_dyn()
                };
                self.placed(points).into_iter().map(bar).collect()
            }
            Mark::Column { ink, from, to } => {
                let [from, to] = [*from, *to].map(|x| within(&self.x, x));
                vec![ground(*ink, [(from, self.y.low), (to, self.y.high)])]
            }
            Mark::Band { ink, from, to } => {
                let [from, to] = [*from, *to].map(|y| within(&self.y, y));
                vec![ground(*ink, [(self.x.low, from), (self.x.high, to)])]
            }
        }
    }
}

impl Mark {
    /// Whether it lies under everything, the grid included.
    fn is_ground(&self) -> bool {
        matches!(self, Mark::Column { .. } | Mark::Band { .. })
    }
}

/// Where a value belongs, cut off at the axis' ends.
fn within(axis: &Axis, value: f64) -> f64 {
    axis.scale.place(value).clamp(axis.low, axis.high)
}

fn ground<'b>(ink: Ink, corners: [(f64, f64); 2]) -> Shape<'b> {
    Rectangle::new(corners, ink.colour().mix(0.16).filled()).into_dyn()
}

fn pen(ink: Ink, stroke: Stroke) -> ShapeStyle {
    match stroke {
        Stroke::Plain | Stroke::Dashed => ink.colour().stroke_width(2),
        Stroke::Thick => ink.colour().stroke_width(4),
        Stroke::Thin => ink.colour().stroke_width(1),
        Stroke::Faint => ink.colour().mix(0.35).stroke_width(1),
        Stroke::Broad => ink.colour().mix(0.45).stroke_width(8),
    }
}

/// An axis as plotters wants it.
struct Ticked(Axis);

impl Ranged for Ticked {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, place: &f64, (first, last): (i32, i32)) -> i32 {
        let part = (place - self.0.low) / (self.0.high - self.0.low);
        first + (f64::from(last - first) * part).round() as i32
    }

    /// Plotters asks twice: for the ticks, and for a finer grid between them that isn't drawn.
    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        self.0.ticks.iter().map(|(place, _)| *place).collect()
    }

    fn range(&self) -> Range<f64> {
        self.0.low..self.0.high
    }
}

impl ValueFormatter<f64> for Ticked {
    fn format(place: &f64) -> String {
        // Without the axis nobody knows; `format_ext` does.
        place.to_string()
    }

    fn format_ext(&self, place: &f64) -> String {
        let tick = self.0.ticks.iter().find(|(at, _)| at == place);
        tick.map_or_else(String::new, |(_, label)| label.clone())
    }
}
