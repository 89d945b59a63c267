use image::{Rgb, Rgba, RgbaImage};
use proptest::prelude::*;

use super::*;

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Red on the left, blue on the right.
fn halves(width: u32, height: u32) -> DynamicImage {
    RgbImage::from_fn(width, height, |x, _| {
        if x < width / 2 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) }
    })
    .into()
}

fn fitted(bytes: &[u8]) -> Result<Picture, Unfit> {
    fit(bytes.to_vec(), Format::of(bytes))
}

#[test]
fn what_is_fit_keeps_its_bytes() {
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::WebP] {
        let image = if format == ImageFormat::Gif {
            DynamicImage::from(halves(20, 10).to_rgba8())
        } else {
            halves(20, 10)
        };
        let bytes = encoded(&image, format);
        let picture = fitted(&bytes).unwrap();
        assert_eq!(picture.bytes, bytes, "{format:?}");
        assert_eq!((picture.original, picture.sent), ((20, 10), (20, 10)));
        assert_eq!(picture.mime, format.to_mime_type());
    }
}

#[test]
fn what_servers_do_not_take_is_converted() {
    for format in [ImageFormat::Bmp, ImageFormat::Tiff] {
        let picture = fitted(&encoded(&halves(20, 10), format)).unwrap();
        assert_eq!((picture.mime, picture.sent), ("image/png", (20, 10)));
        let back = image::load_from_memory(&picture.bytes).unwrap().to_rgb8();
        assert_eq!((back.get_pixel(0, 0).0, back.get_pixel(19, 9).0), ([255, 0, 0], [0, 0, 255]));
    }
}

#[test]
fn large_pictures_are_shrunk() {
    let picture = fitted(&encoded(&halves(4096, 1024), ImageFormat::Png)).unwrap();
    assert_eq!((picture.original, picture.sent), ((4096, 1024), (2048, 512)));
    assert_eq!(picture.mime, "image/png");
    let back = image::load_from_memory(&picture.bytes).unwrap();
    assert_eq!((back.width(), back.height()), (2048, 512));
    // However thin, nothing vanishes.
    let picture = fitted(&encoded(&halves(9000, 1), ImageFormat::Png)).unwrap();
    assert_eq!(picture.sent, (2048, 1));
    let photo = fitted(&encoded(&halves(2600, 100), ImageFormat::Jpeg)).unwrap();
    assert_eq!(photo.mime, "image/jpeg");
}

#[test]
fn noise_that_png_cannot_pack_becomes_a_jpeg_on_white() {
    let mut state = 1u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let image = RgbaImage::from_fn(1100, 1100, |x, _| match x {
        0..8 => Rgba([0, 0, 0, 0]),
        _ => Rgba([noise(), noise(), noise(), 255]),
    });
    let bytes = encoded(&image.into(), ImageFormat::Png);
    assert!(bytes.len() > MAX_SENT);
    let picture = fitted(&bytes).unwrap();
    assert_eq!((picture.mime, picture.sent), ("image/jpeg", (1100, 1100)));
    assert!(picture.bytes.len() <= MAX_SENT);
    let back = image::load_from_memory(&picture.bytes).unwrap().to_rgb8();
    assert!(back.get_pixel(2, 500).0.iter().all(|&channel| channel > 230));
}

/// A JPEG with an EXIF block that says how the camera was held.
fn turned(orientation: u8) -> Vec<u8> {
    let jpeg = encoded(&halves(64, 16), ImageFormat::Jpeg);
    let mut exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    let mut bytes = jpeg[..2].to_vec();
    bytes.extend([0xff, 0xe1, 0, exif.len() as u8 + 2]);
    bytes.extend(exif);
    bytes.extend(&jpeg[2..]);
    bytes
}

#[test]
fn photos_are_turned_upright() {
    let picture = fitted(&turned(6)).unwrap();
    assert_eq!((picture.original, picture.sent), ((64, 16), (16, 64)));
    let back = image::load_from_memory(&picture.bytes).unwrap().to_rgb8();
    assert!(back.get_pixel(8, 2).0[0] > 200 && back.get_pixel(8, 61).0[2] > 200);
    let upright = turned(1);
    assert_eq!(fitted(&upright).unwrap().bytes, upright);
}

/// A PNG of a few bytes that claims to have this many pixels.
fn bomb(width: u32, height: u32) -> Vec<u8> {
    let mut chunk = b"IHDR".to_vec();
    chunk.extend(width.to_be_bytes());
    chunk.extend(height.to_be_bytes());
    chunk.extend([8, 6, 0, 0, 0]);
    let mut crc = !0u32;
    for byte in &chunk {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    bytes.extend(chunk);
    bytes.extend((!crc).to_be_bytes());
    bytes.extend(b"\0\0\0\0IDAT\x35\xaf\x06\x1e\0\0\0\0IEND\xae\x42\x60\x82");
    bytes
}

#[test]
fn a_bomb_is_refused_before_it_is_unpacked() {
    assert_eq!(fitted(&bomb(60_000, 60_000)).unwrap_err(), Unfit::Huge(60_000, 60_000));
    let told = Unfit::Huge(60_000, 60_000).told("/a.png");
    assert!(told.is_error && told.message.contains("60000x60000"), "{}", told.message);
    // The largest that is taken is only damaged.
    assert!(matches!(fitted(&bomb(100, 100)), Err(Unfit::Damaged(_))));
}

#[test]
fn what_is_torn_or_foreign_is_refused() {
    let png = encoded(&halves(200, 200), ImageFormat::Png);
    for length in [8, 20, 40, png.len() / 2] {
        assert!(matches!(fitted(&png[..length]), Err(Unfit::Damaged(_))), "{length}");
    }
    for (header, what) in [
        (&b"\0\0\0\x20ftypheic"[..], "a HEIC picture"),
        (b"\0\0\0\x20ftypavif", "an AVIF picture"),
        (b"\0\0\x01\0", "an icon"),
    ] {
        assert_eq!(fitted(header).unwrap_err(), Unfit::Foreign(what));
        assert!(Unfit::Foreign(what).told("a").message.contains("Convert it to PNG or JPEG"));
    }
    assert!(matches!(fitted(b"plain"), Err(Unfit::Damaged(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn broken_pictures_are_survived(
        kind in 0usize..6,
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let formats = [
            ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif,
            ImageFormat::WebP, ImageFormat::Bmp, ImageFormat::Tiff,
        ];
        let mut bytes = encoded(&DynamicImage::from(halves(24, 9).to_rgb8()), formats[kind]);
        for (place, byte) in places {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let _ = fitted(&bytes);
    }
}
