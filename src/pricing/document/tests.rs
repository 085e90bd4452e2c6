//! How many tokens PDFs are taken for.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;

const PAGE: u64 = 1_600;

fn compressed(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).expect("written");
    encoder.finish().expect("whole")
}

/// An object with a stream.
fn stream(dictionary: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("9 0 obj<<{dictionary}/Length {}>>stream\n", body.len());
    [head.as_bytes(), body, b"\nendstream endobj\n"].concat()
}

fn text(content: &[u8]) -> Vec<u8> {
    stream("/Filter/FlateDecode", &compressed(content))
}

fn tokens(parts: &[&[u8]]) -> u64 {
    let pdf = [b"%PDF-1.7\n", &*parts.concat(), b"trailer<</Root 1 0 R>>\n%%EOF"].concat();
    Document::read(&pdf, &Cell::new(MOST_INFLATED)).tokens(PAGE)
}

const ONE_PAGE: &[u8] = b"3 0 obj<</Type/Page/Parent 2 0 R/Contents 9 0 R>>endobj\n";

/// Words that compress as those of a language do.
fn words(count: usize) -> String {
    let mut random = fastrand::Rng::with_seed(7);
    let words: Vec<String> = (0..400).map(|_| (0..random.usize(2..10)).map(|_| random.lowercase()).collect()).collect();
    (0..count).map(|_| format!("{} ", words[random.usize(..400)])).collect()
}

#[test]
fn the_text_of_a_page_counts_besides_its_picture() {
    let text_of_page = words(500);
    let real = text_of_page.len() as u64 / 4 + PAGE;
    let found = tokens(&[ONE_PAGE, &text(format!("BT ({text_of_page}) Tj ET").as_bytes())]);
    assert!((real..real * 2).contains(&found), "{found} for {real}");
    let same = "a ".repeat(500_000);
    assert!(tokens(&[ONE_PAGE, &text(same.as_bytes())]) >= 250_000, "however well it is compressed");
    let plain = stream("", text_of_page.as_bytes());
    assert!(tokens(&[ONE_PAGE, &plain]) >= real, "or not at all");
}

#[test]
fn pages_are_counted_wherever_they_stand() {
    assert_eq!(tokens(&[ONE_PAGE]), PAGE);
    assert_eq!(tokens(&[ONE_PAGE, ONE_PAGE, b"2 0 obj<</Type /Pages/Kids[3 0 R]/Count 2>>endobj\n"]), 2 * PAGE);
    let used_again = b"2 0 obj << /Type /Pages /Kids [3 0 R 3 0 R 3 0 R] /Count 3 >> endobj\n";
    assert_eq!(tokens(&[ONE_PAGE, used_again]), 3 * PAGE);
    let objects = b"1 0 <</Type/Catalog>> <</Type/Pages/Count 1000>> ".to_vec();
    assert_eq!(tokens(&[&stream("/Type/ObjStm/N 2/Filter/FlateDecode", &compressed(&objects))]), 1000 * PAGE);
    let contents = b"7 0 obj<</Type/Outlines/First 8 0 R/Last 9 0 R/Count 40>>endobj\n";
    assert_eq!(tokens(&[ONE_PAGE, contents]), PAGE, "a table of contents has no pages");
    assert_eq!(tokens(&[b"<</Type/Pages/Count 99999999999999999999999>>"]), MOST_PAGES * PAGE);
}

#[test]
fn pictures_and_fonts_are_no_text() {
    let noise = vec![b'x'; 100_000];
    for dictionary in ["/Subtype/Image", "/Type /XObject /Subtype /Image", "/Length1 5", "/Subtype/Type1C"] {
        assert_eq!(tokens(&[ONE_PAGE, &stream(dictionary, &noise)]), PAGE, "{dictionary}");
    }
    assert!(tokens(&[ONE_PAGE, &stream("/Subtype/Form", &noise)]) > PAGE + 60_000);
}

#[test]
fn where_pages_may_be_hidden_as_many_count_as_vendors_take() {
    let pages = |fields: &str| format!("2 0 obj<</Type/Pages/Kids[3 0 R]{fields}>>endobj\n").into_bytes();
    for (hides, is_hidden) in [
        (pages("/Count 5 0 R"), true),
        (pages("/Count +100"), true),
        (pages("/Count %c\n100"), true),
        (pages("/#43ount 100"), true),
        (b"trailer<</Encrypt 8 0 R>>".to_vec(), true),
        (b"2 0 obj<</Type/P#61ges/Kids[3 0 R]>>endobj".to_vec(), true),
        (pages("/BaseFont/AB+Times#20New#20Roman/F#31/URI(https://x.example/123#41)/Title(see #30)"), false),
        (pages("/Count 1 "), false),
        (b"2 0 obj<</Type/Pages/Kids 5 0 R>>endobj".to_vec(), true),
        (b"2 0 obj<</FT/Btn/Kids 5 0 R>>endobj".to_vec(), false),
        (b"7 0 obj<</Type/Outlines/First 8 0 R/Count -4>>endobj\n".to_vec(), false),
    ] {
        let pages = if is_hidden { MOST_TAKEN } else { 1 };
        assert_eq!(tokens(&[ONE_PAGE, &hides]), pages * PAGE, "{}", String::from_utf8_lossy(&hides));
    }
    let listed = format!("2 0 obj<</Kids[{}]/Count 1/Type/Pages>>endobj", "3 0 R ".repeat(100));
    assert_eq!(tokens(&[ONE_PAGE, listed.as_bytes()]), 100 * PAGE, "one page, a hundred times");
    let saved_again = [listed.as_bytes(), b"\n2 0 obj\n<</Type/Pages/Kids[3 0 R]/Count 1>>endobj"].concat();
    assert_eq!(tokens(&[ONE_PAGE, &saved_again]), 100 * PAGE, "the first list was replaced");
    let tree = b"2 0 obj<</Type/Pages/Kids[4 0 R 5 0 R]>>endobj 4 0 obj<</Type/Pages/Kids[3 0 R 6 0 R]>>endobj \
        5 0 obj<</Type/Pages/Kids[7 0 R 8 0 R]>>endobj";
    assert_eq!(tokens(&[ONE_PAGE, tree]), 4 * PAGE, "lists in a list");
    let fields = format!("2 0 obj<</FT/Btn/Kids[{}]>>endobj", "3 0 R ".repeat(100));
    assert_eq!(tokens(&[ONE_PAGE, fields.as_bytes()]), PAGE, "the fields of a form");
}

#[test]
fn streams_are_read_however_often_and_in_whatever_way_they_are_encoded() {
    let hexadecimal = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + ">";
    let objects = b"1 0 <</Type/Catalog>> <</Type/Pages/Count 1000>> ".to_vec();
    let same = "a ".repeat(500_000);
    for encode in [
        &|content: &[u8]| compressed(&compressed(content)) as Vec<u8>,
        &|content: &[u8]| hexadecimal(&compressed(content)).into_bytes(),
        &|content: &[u8]| hexadecimal(hexadecimal(&compressed(content)).as_bytes()).into_bytes(),
    ] as [&dyn Fn(&[u8]) -> Vec<u8>; 3]
    {
        assert_eq!(tokens(&[&stream("/Type/ObjStm/Filter 9 0 R", &encode(&objects))]), 1000 * PAGE);
        assert!(tokens(&[ONE_PAGE, &stream("/Filter 9 0 R", &encode(same.as_bytes()))]) >= 250_000);
    }
    // Text that begins as compressed content may.
    let plain = b"80 0 81 22 <</Type/Catalog>> <</Type/Pages/Count 7>> ";
    assert!(is_zlib(plain));
    for body in [plain.to_vec(), compressed(plain)] {
        assert_eq!(tokens(&[&stream("/Type/ObjStm/N 2", &body)]), 7 * PAGE);
    }
    let unread = stream("/Type/ObjStm/Filter/LZWDecode", b"\x80\x0b\x60\x50");
    assert_eq!(tokens(&[ONE_PAGE, &unread]), MOST_TAKEN * PAGE);
}

#[test]
fn what_cannot_be_read_counts_a_token_for_each_byte() {
    let base64 = STANDARD.encode("%PDF-1.7 no page");
    assert_eq!(most_tokens(&base64, PAGE, &Cell::new(MOST_INFLATED)), 16);
    assert_eq!(most_tokens("JVBERi0 !", PAGE, &Cell::new(MOST_INFLATED)), MOST_TAKEN * PAGE, "no Base64");
    let hidden = stream("/Type/ObjStm/Filter/FlateDecode", &[7; 10_000]);
    assert!(tokens(&[&hidden]) > 10_000);
    assert!(tokens(&[ONE_PAGE, &hidden]) > 10_000, "there may be more pages than one");
    let large = compressed(&vec![b' '; MOST_INFLATED as usize + 1]);
    assert!(tokens(&[ONE_PAGE, &stream("/Type/ObjStm/Filter/FlateDecode", &large)]) > large.len() as u64);
    // The documents of one request have one allowance.
    let (left, document) = (Cell::new(10_000), [ONE_PAGE, &text(&[b' '; 8_000])].concat());
    let found = [0, 1].map(|_| Document::read(&document, &left).tokens(PAGE));
    assert!(found[0] >= PAGE + 2_000 && found[1] < found[0] && left.get() == 0, "{found:?} {left:?}");
    // No order of its parts is demanded.
    for broken in [&b"stream\n"[..], b"endstream stream\r\n/Type", b"/Count", b"/Type /", b"<</Count 1", b""] {
        assert!(Document::read(broken, &Cell::new(MOST_INFLATED)).tokens(PAGE) <= PAGE.max(broken.len() as u64));
    }
}
