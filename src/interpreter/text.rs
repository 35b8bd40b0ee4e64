//! Numbers, ids and times as text, appended to a trace's bytes without an allocation.

use crate::trace::Bytes;
use std::fmt::{self, Write};

/// A writer that appends what `write!` formats.
struct Appender<'a>(&'a mut Bytes);

impl Write for Appender<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.0.append(s.as_bytes());
        Ok(())
    }
}

fn append(out: &mut Bytes, text: fmt::Arguments<'_>) {
    // Neither the appender nor the formatters used here ever fail.
    let _ = Appender(out).write_fmt(text);
}

static PAIRS: [u8; 200] = {
    let mut table = [0; 200];
    let mut i = 0;
    while i < 100 {
        table[i * 2] = b'0' + (i / 10) as u8;
        table[i * 2 + 1] = b'0' + (i % 10) as u8;
        i += 1;
    }
    table
};

/// Appends an int in decimal.
#[inline(always)]
pub(super) fn put_int(out: &mut Bytes, v: i64) {
    out.room(32);
    if v < 0 {
        out.put([b'-'], 1);
    }
    put_unsigned(out, v.unsigned_abs());
}

/// Appends an unsigned int in decimal. The caller has made room for 20 digits.
#[inline(always)]
fn put_unsigned(out: &mut Bytes, mut n: u64) {
    if n < 10_000 {
        let (high, low) = ((n / 100) as usize * 2, (n % 100) as usize * 2);
        let four = u32::from_le_bytes([PAIRS[high], PAIRS[high + 1], PAIRS[low], PAIRS[low + 1]]);
        let digits = 1 + (n > 9) as usize + (n > 99) as usize + (n > 999) as usize;
        out.put((four >> (8 * (4 - digits))).to_le_bytes(), digits);
        return;
    }
    let mut digits = [0u8; 20];
    let mut at = 20;
    while n > 0 {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
    }
    out.append(&digits[at..]);
}

/// Appends `units` of 10^-digits as a decimal with exactly `digits` (at most 15) decimals.
#[inline(always)]
pub(super) fn put_units(out: &mut Bytes, units: i64, digits: u8) {
    out.room(48);
    if units < 0 {
        out.put([b'-'], 1);
    }
    let n = units.unsigned_abs();
    if digits == 2 {
        put_unsigned(out, n / 100);
        let low = (n % 100) as usize * 2;
        out.put([b'.', PAIRS[low], PAIRS[low + 1]], 3);
        return;
    }
    let scale = POWERS[digits as usize];
    put_unsigned(out, n / scale);
    if digits > 0 {
        append(out, format_args!(".{:0width$}", n % scale, width = digits as usize));
    }
}

/// The powers of ten that a double holds exactly.
pub(super) static POWERS: [u64; 16] = {
    let mut powers = [1; 16];
    let mut i = 1;
    while i < 16 {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// Reports whether a double made of this many units is within half a unit of the exact value, so that its text shows it.
#[inline(always)]
pub(super) fn is_exact(units: i64) -> bool {
    units.unsigned_abs() < 1 << 51
}

/// Appends a finite double with `digits` (at most 15) decimals.
#[inline(always)]
pub(super) fn put_fixed(out: &mut Bytes, v: f64, digits: u8) {
    // The double was made by a division by this power, so the product is within an ulp of the whole number that was
    // divided.
    let units = libm::round(v * POWERS[digits as usize & 15] as f64);
    if is_exact(units as i64) {
        put_units(out, units as i64, digits & 15);
    } else {
        append(out, format_args!("{v:.digits$}", digits = digits as usize));
    }
}

/// Appends the shortest text that reads back as `v`, with an exponent for values from 1e16 on and below 1e-5.
pub(super) fn put_double(out: &mut Bytes, v: f64) {
    let size = v.abs();
    if v == 0.0 {
        out.append(b"0");
    } else if (1e-5..1e16).contains(&size) {
        append(out, format_args!("{v}"));
    } else {
        append(out, format_args!("{v:e}"));
    }
}

/// Returns the sixteen hexadecimal digits of eight bytes, the lowest byte first.
#[inline(always)]
pub(super) fn hex8(v: u64) -> [u8; 16] {
    let spread = |half: u32| {
        let mut x = half as u64;
        x = (x | x << 16) & 0x0000_ffff_0000_ffff;
        x = (x | x << 8) & 0x00ff_00ff_00ff_00ff;
        // The low nibble goes into the second byte of its pair.
        x = (x >> 4 & 0x000f_000f_000f_000f) | (x & 0x000f_000f_000f_000f) << 8;
        let letter = (x + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
        x + 0x3030_3030_3030_3030 + letter * (b'a' - b'0' - 10) as u64
    };
    let (a, b) = (spread(v as u32).to_le_bytes(), spread((v >> 32) as u32).to_le_bytes());
    std::array::from_fn(|i| if i < 8 { a[i] } else { b[i - 8] })
}

/// Appends the UUID made of 128 bits, with version 4 and the variant set (RFC 9562, section 5.4).
#[inline(always)]
pub(super) fn put_uuid(out: &mut Bytes, a: u64, b: u64) {
    // Bytes 6 and 8 hold the version and the variant.
    let a = hex8(a & !(0xf0 << 48) | 0x40 << 48);
    let b = hex8(b & !0xc0 | 0x80);
    out.room(40);
    let at = out.len();
    out.put([b'-'; 36], 36);
    let text: &mut [u8; 36] = out.window(at);
    text[..8].copy_from_slice(&a[..8]);
    text[9..13].copy_from_slice(&a[8..12]);
    text[14..18].copy_from_slice(&a[12..16]);
    text[19..23].copy_from_slice(&b[..4]);
    text[24..36].copy_from_slice(&b[4..]);
}

/// Appends `digits` hexadecimal digits: the first 16 are those of the first word, lowest byte first.
pub(super) fn put_hex(out: &mut Bytes, digits: u32, mut word: impl FnMut() -> u64) {
    let mut left = digits as usize;
    out.room(left + 16);
    while left > 0 {
        let n = left.min(16);
        out.put(hex8(word()), n);
        left -= n;
    }
}

/// The first octets of public unicast addresses, which exclude this network (0), private ranges (10, 172, 192), loopback
/// (127), link local (169), and multicast and above (224..).
const OCTETS: [u8; 218] = {
    let mut octets = [0; 218];
    let (mut at, mut octet) = (0, 1);
    while octet < 224 {
        if !matches!(octet, 10 | 127 | 169 | 172 | 192) {
            octets[at] = octet;
            at += 1;
        }
        octet += 1;
    }
    octets
};

/// Appends the unicast IPv4 address made of 32 random bits.
pub(super) fn put_ipv4(out: &mut Bytes, bits: u32) {
    let scaled = bits as u64 * OCTETS.len() as u64;
    // The remainder of the draw is as random as the draw.
    let rest = (scaled as u32).to_be_bytes();
    put_int(out, OCTETS[(scaled >> 32) as usize] as i64);
    for octet in &rest[..3] {
        out.put([b'.'], 1);
        put_int(out, *octet as i64);
    }
}

/// Appends a global unicast IPv6 address (2000::/3, RFC 4291), formatted as in RFC 5952.
#[inline]
pub(super) fn put_ipv6(out: &mut Bytes, a: u64, b: u64) {
    let bits = ((a as u128) << 64 | b as u128) >> 3 | 1 << 125;
    let groups: [u16; 8] = std::array::from_fn(|i| (bits >> (112 - 16 * i)) as u16);
    if groups.contains(&0) {
        // A run of zeros is left out.
        let address = std::net::Ipv6Addr::from_bits(bits);
        return append(out, format_args!("{address}"));
    }
    let digits = [hex8(((bits >> 64) as u64).swap_bytes()), hex8((bits as u64).swap_bytes())];
    out.room(48);
    for (i, group) in groups.into_iter().enumerate() {
        // A group is four digits and a colon; leading zeros are shifted out.
        let zeros = group.leading_zeros() as usize / 4;
        let at = i % 4 * 4;
        let [p, q, r, s] = [0, 1, 2, 3].map(|k| digits[i / 4][at + k]);
        let text = u64::from_le_bytes([p, q, r, s, b':', 0, 0, 0]) >> (8 * zeros);
        out.put(text.to_le_bytes(), 5 - zeros - (i == 7) as usize);
    }
}

/// Appends a time, given in ns since 1970, in RFC 3339, in UTC with milliseconds.
pub(super) fn put_time(out: &mut Bytes, ns: u64) {
    use jiff::fmt::{StdFmtWrite, temporal::DateTimePrinter};
    static PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
    // Every u64 of nanoseconds is in the range of years that jiff supports.
    if let Ok(time) = jiff::Timestamp::from_nanosecond(ns as i128) {
        let _ = PRINTER.print_timestamp(&time, StdFmtWrite(&mut Appender(out)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(put: impl FnOnce(&mut Bytes)) -> String {
        let mut out = Bytes::default();
        put(&mut out);
        String::from_utf8(out.as_slice().to_vec()).unwrap()
    }

    #[test]
    fn ints_are_written_as_the_standard_library_writes_them() {
        let edges = [0, 9, 10, 99, 100, 999, 1000, 9999, 10_000, 123_456_789, i64::MAX, i64::MIN];
        for v in edges.into_iter().flat_map(|v| [v, -(v.max(-i64::MAX))]) {
            assert_eq!(text(|out| put_int(out, v)), v.to_string());
        }
    }

    #[test]
    fn a_fixed_double_has_exactly_its_digits() {
        for (v, digits, want) in [
            (250.0, 2, "250.00"),
            (-0.05, 2, "-0.05"),
            (1.005, 3, "1.005"),
            (-12.5, 1, "-12.5"),
            (3.0, 0, "3"),
            (0.000_000_000_000_001, 15, "0.000000000000001"),
            (1e18, 2, "1000000000000000000.00"),
            (123_456_789.125, 4, "123456789.1250"),
        ] {
            assert_eq!(text(|out| put_fixed(out, v, digits)), want);
        }
        for units in (-100_000..100_000).step_by(37) {
            let want = format!("{:.4}", units as f64 / 1e4);
            assert_eq!(text(|out| put_fixed(out, units as f64 / 1e4, 4)), want);
        }
    }

    #[test]
    fn a_double_reads_back() {
        for (v, want) in [
            (0.1, "0.1"),
            (250.0, "250"),
            (-0.0, "0"),
            (1e300, "1e300"),
            (1.5e-7, "1.5e-7"),
            (1e15, "1000000000000000"),
        ] {
            assert_eq!(text(|out| put_double(out, v)), want);
            assert_eq!(want.parse::<f64>().unwrap(), v);
        }
    }

    #[test]
    fn hexadecimal_digits_are_the_bytes_in_order() {
        assert_eq!(&hex8(u64::from_le_bytes([0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef])), b"0123456789abcdef");
        let mut word = 0;
        let twenty = text(|out| {
            put_hex(out, 20, || {
                word += 1;
                word
            })
        });
        assert_eq!(twenty, "01000000000000000200");
    }

    #[test]
    fn a_uuid_has_version_4_layout() {
        for (a, b) in [(0, 0), (u64::MAX, u64::MAX), (0x0123_4567_89ab_cdef, 42)] {
            let uuid = text(|out| put_uuid(out, a, b));
            assert_eq!(uuid.len(), 36);
            assert_eq!(uuid.as_bytes()[14], b'4', "{uuid}");
            assert!(b"89ab".contains(&uuid.as_bytes()[19]), "{uuid}");
            assert_eq!(uuid.matches('-').count(), 4);
        }
    }

    #[test]
    fn addresses_are_unicast() {
        for bits in (0..u32::MAX - 50_000).step_by(49_999).chain([u32::MAX]) {
            let address: std::net::Ipv4Addr = text(|out| put_ipv4(out, bits)).parse().unwrap();
            assert!(
                !address.is_private() && !address.is_loopback() && !address.is_multicast() && !address.is_link_local()
            );
            assert!((1..224).contains(&address.octets()[0]), "{address}");
        }
        // Halves of many kinds: groups of every length, with no zeros and with a run of zeros.
        let halves = [0, u64::MAX, 0x0123_4567_89ab_cdef, 0x8000_0080_0008_0000, 8 << 48, 0x7fff_8000_0000_0008];
        for (a, b) in halves.into_iter().flat_map(|a| halves.map(|b| (a, b))) {
            let written = text(|out| put_ipv6(out, a, b));
            let address: std::net::Ipv6Addr = written.parse().unwrap();
            assert_eq!(address.to_bits(), ((a as u128) << 64 | b as u128) >> 3 | 1 << 125);
            assert_eq!(address.to_string(), written, "as the standard library writes it");
        }
    }

    #[test]
    fn times_are_rfc_3339_with_milliseconds() {
        assert_eq!(text(|out| put_time(out, 0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(text(|out| put_time(out, 1_767_225_600_123_999_999)), "2026-01-01T00:00:00.123Z");
        assert_eq!(text(|out| put_time(out, 1_709_208_000_000_000_000)), "2024-02-29T12:00:00.000Z");
        assert_eq!(text(|out| put_time(out, u64::MAX)).len(), 24);
    }
}
