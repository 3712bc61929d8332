//! The picture that an authenticator app scans: a QR code as a PNG in a data URL.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fast_qr::qr::QRBuilder;
use fast_qr::{ECL, QRCode};

/// The side of the picture in pixels.
pub(super) const SIDE: u32 = 256;

/// The light border that scanners need, in modules (ISO/IEC 18004).
const QUIET: usize = 4;

/// The data URL of a text's picture; `None` if the text is too long for one of this size.
pub(super) fn data_url(text: &str) -> Option<String> {
    let code = QRBuilder::new(text).ecl(ECL::M).build().ok()?;
    Some(format!("data:image/png;base64,{}", STANDARD.encode(png(&code)?)))
}

/// One bit a pixel; modules are squares of whole pixels, as large as fit, in the middle.
fn png(code: &QRCode) -> Option<Vec<u8>> {
    let side = SIDE as usize;
    let scale = side / (code.size + 2 * QUIET);
    if scale == 0 {
        return None;
    }
    let margin = (side - scale * code.size) / 2;
    // Where a pixel's module lies in the code, if it lies in it.
    let module = |pixel: usize| pixel.checked_sub(margin).map(|inside| inside / scale).filter(|place| *place < code.size);
    let row = |y: Option<usize>| -> Vec<u8> {
        let dark = |pixel: usize| module(pixel).zip(y).is_some_and(|(x, y)| code[y][x].value());
        (0..side / 8).map(|byte| (0..8).fold(0, |bits, bit| bits << 1 | u8::from(!dark(byte * 8 + bit)))).collect()
    };
    // Every settings form has a picture, so it is made of whole rows, and packed fast rather than small.
    let (blank, rows): (_, Vec<_>) = (row(None), (0..code.size).map(|y| row(Some(y))).collect());
    let pixels: Vec<u8> = (0..side).flat_map(|y| module(y).map_or(&blank, |y| &rows[y])).copied().collect();
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, SIDE, SIDE);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    encoder.set_compression(png::Compression::Fast);
    // Against the row above: rows of one module are alike.
    encoder.set_filter(png::Filter::Up);
    encoder.write_header().ok()?.write_image_data(&pixels).ok()?;
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_shows_the_code() {
        let text = "otpauth://totp/Portcullis:ada@example.org?algorithm=SHA1&digits=6&issuer=Portcullis&period=30&secret=ABC";
        let url = data_url(text).unwrap();
        assert!(url.len() < 4000, "small enough for every form: {}", url.len());
        let bytes = STANDARD.decode(url.strip_prefix("data:image/png;base64,").unwrap()).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height), (SIDE, SIDE));
        let code = QRBuilder::new(text).ecl(ECL::M).build().unwrap();
        let side = SIDE as usize;
        let scale = side / (code.size + 2 * QUIET);
        let margin = (side - scale * code.size) / 2;
        let dark = |x: usize, y: usize| pixels[(y * side + x) / 8] >> (7 - x % 8) & 1 == 0;
        for y in 0..code.size {
            for x in 0..code.size {
                let middle = |place: usize| margin + place * scale + scale / 2;
                assert_eq!(dark(middle(x), middle(y)), code[y][x].value(), "{x} {y}");
            }
        }
        for edge in 0..side {
            assert!(!dark(edge, margin - 1) && !dark(margin - 1, edge), "the border is light at {edge}");
        }
        assert!(margin >= QUIET * scale);
    }

    #[test]
    fn what_is_too_long_has_no_picture() {
        assert!(data_url(&"x".repeat(5000)).is_none());
        assert!(data_url(&"x".repeat(1000)).is_some());
    }
}
