//! Colours and their contrast, as WCAG 2.2 computes it.

use std::fmt;
use std::str::FromStr;

/// The contrast that text needs (WCAG 2.2, success criterion 1.4.3).
pub const TEXT_CONTRAST: f64 = 4.5;

/// A colour that a screen can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour([u8; 3]);

/// The text is no colour of the form `#rrggbb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadColour;

impl Colour {
    /// Black.
    pub const BLACK: Self = Self([0; 3]);
    /// White.
    pub const WHITE: Self = Self([255; 3]);
    /// The darkest surface of the light pages, and the lightest one of the dark pages: a colour that can be read on
    /// these two can be read on all surfaces. The stylesheet has them as `--page` and `--card`.
    pub const SURFACES: [Self; 2] = [Self([0xf4, 0xf5, 0xf7]), Self([0x1c, 0x20, 0x25])];

    /// The contrast between two colours: 1 (none) to 21 (black and white).
    pub fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// The colour of text on this colour: white when it has enough contrast, or else the better of black and white.
    /// One of them always has enough.
    pub fn text_on(self) -> Self {
        let (white, black) = (self.contrast(Self::WHITE), self.contrast(Self::BLACK));
        if white >= TEXT_CONTRAST || white >= black { Self::WHITE } else { Self::BLACK }
    }

    /// The nearest shade of this colour that can be read on a surface: mixed with black or white until its contrast
    /// is enough.
    pub fn readable_on(self, surface: Self) -> Self {
        let end = surface.text_on();
        let shades = (0..=100).map(|percent| self.mixed(end, percent));
        shades.into_iter().find(|shade| shade.contrast(surface) >= TEXT_CONTRAST).unwrap_or(end)
    }

    fn mixed(self, other: Self, percent: u16) -> Self {
        let Self([r, g, b]) = self;
        let Self([other_r, other_g, other_b]) = other;
        let part = |own: u8, other: u8| {
            let sum = u16::from(own) * (100 - percent) + u16::from(other) * percent;
            u8::try_from(sum / 100).unwrap_or(u8::MAX)
        };
        Self([part(r, other_r), part(g, other_g), part(b, other_b)])
    }

    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        let Self([r, g, b]) = self;
        0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
    }
}

impl FromStr for Colour {
    type Err = BadColour;

    fn from_str(text: &str) -> Result<Self, BadColour> {
        let digits = text.strip_prefix('#').ok_or(BadColour)?;
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(BadColour);
        }
        let [_, r, g, b] = u32::from_str_radix(digits, 16).map_err(|_| BadColour)?.to_be_bytes();
        Ok(Self([r, g, b]))
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([r, g, b]) = self;
        write!(f, "#{r:02x}{g:02x}{b:02x}")
    }
}

impl fmt::Display for BadColour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a colour has the form #rrggbb, with six hexadecimal digits")
    }
}

impl std::error::Error for BadColour {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Colour, TEXT_CONTRAST};

    /// Colours all over the cube, its corners among them.
    fn colours() -> impl Iterator<Item = Colour> {
        let steps = || (0..=255).step_by(15);
        steps().flat_map(move |r| steps().flat_map(move |g| steps().map(move |b| Colour([r, g, b]))))
    }

    #[test]
    fn one_form_is_read() {
        assert_eq!("#1f6F5c".parse::<Colour>().unwrap().to_string(), "#1f6f5c");
        for text in
            ["", "#", "1f6f5c", "#1f6f5", "#1f6f5cc", "#1f6f5g", "#+f6f5c", "red", "#1f6f5c;", "#ä6f5c"]
        {
            assert!(text.parse::<Colour>().is_err(), "{text}");
        }
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        assert!((Colour::BLACK.contrast(Colour::WHITE) - 21.0).abs() < 1e-9);
        assert!((Colour::WHITE.contrast(Colour::WHITE) - 1.0).abs() < 1e-9);
        // The grey that is known as the lightest one that can be read on white.
        let grey = "#767676".parse::<Colour>().unwrap();
        assert!((grey.contrast(Colour::WHITE) - 4.54).abs() < 0.01);
    }

    #[test]
    fn text_on_every_colour_can_be_read() {
        for colour in colours() {
            assert!(colour.contrast(colour.text_on()) >= TEXT_CONTRAST, "{colour}");
        }
        assert_eq!("#767676".parse::<Colour>().unwrap().text_on(), Colour::WHITE);
        assert_eq!("#777777".parse::<Colour>().unwrap().text_on(), Colour::BLACK);
    }

    #[test]
    fn a_shade_of_every_colour_can_be_read_on_the_surfaces() {
        for colour in colours() {
            for surface in Colour::SURFACES {
                let shade = colour.readable_on(surface);
                assert!(shade.contrast(surface) >= TEXT_CONTRAST, "{colour} on {surface}: {shade}");
            }
        }
        let dark = "#0b5c55".parse::<Colour>().unwrap();
        assert_eq!(dark.readable_on(Colour::WHITE), dark, "a colour that can be read stays");
    }
}
