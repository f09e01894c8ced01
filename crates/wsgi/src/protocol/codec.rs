//! The alphabet that every frame payload is spelled in: little-endian integers and byte strings
//! with a 32-bit length in front.
//!
//! Decoding never panics and never allocates more than it was handed: whatever arrives on a socket
//! is either understood or refused with a [`CodecError`].

/// Why a payload could not be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The payload ends inside a value.
    #[error("the payload ends too early")]
    Short,
    /// The payload goes on after its last value.
    #[error("{0} bytes follow the last value of the payload")]
    Trailing(usize),
    /// A value is outside of what its field allows.
    #[error("the field {0} has a value that is not allowed")]
    Value(&'static str),
}

/// Appends values to a payload.
#[derive(Debug)]
pub struct Writer<'b>(&'b mut Vec<u8>);

impl<'b> Writer<'b> {
    /// A writer that appends to `buffer`, which keeps what it already holds.
    pub fn new(buffer: &'b mut Vec<u8>) -> Self {
        Self(buffer)
    }

    /// Appends one byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }

    /// Appends a 16-bit number.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// Appends a 32-bit number.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// Appends a 64-bit number.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// Appends a byte string with its length.
    ///
    /// # Panics
    /// If `value` is 4 GiB or longer; nothing that httpd reads into memory is.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        let length = u32::try_from(value.len()).expect("a value in memory is shorter than 4 GiB");
        self.u32(length);
        self.0.extend_from_slice(value);
        self
    }

    /// Appends a list of pairs of byte strings with their number.
    ///
    /// # Panics
    /// If there are 2³² pairs or more.
    pub fn pairs<'p>(
        &mut self,
        pairs: impl IntoIterator<Item = (&'p [u8], &'p [u8])>,
    ) -> &mut Self {
        let place = self.0.len();
        self.u32(0);
        let mut count: u32 = 0;
        for (name, value) in pairs {
            self.bytes(name).bytes(value);
            count = count.checked_add(1).expect("fewer than 2^32 pairs");
        }
        self.0[place..place + 4].copy_from_slice(&count.to_le_bytes());
        self
    }
}

/// Takes values off the front of a payload.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// A reader of `payload` from its first byte.
    pub fn new(payload: &'a [u8]) -> Self {
        Self(payload)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], CodecError> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(CodecError::Short)?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (head, rest) = self.0.split_first_chunk().ok_or(CodecError::Short)?;
        self.0 = rest;
        Ok(*head)
    }

    /// The next byte.
    pub fn u8(&mut self) -> Result<u8, CodecError> {
        self.array().map(|[byte]| byte)
    }

    /// The next 16-bit number.
    pub fn u16(&mut self) -> Result<u16, CodecError> {
        self.array().map(u16::from_le_bytes)
    }

    /// The next 32-bit number.
    pub fn u32(&mut self) -> Result<u32, CodecError> {
        self.array().map(u32::from_le_bytes)
    }

    /// The next 64-bit number.
    pub fn u64(&mut self) -> Result<u64, CodecError> {
        self.array().map(u64::from_le_bytes)
    }

    /// The next byte string, borrowed from the payload.
    pub fn bytes(&mut self) -> Result<&'a [u8], CodecError> {
        let length = usize::try_from(self.u32()?).map_err(|_| CodecError::Short)?;
        self.take(length)
    }

    /// The next list of pairs. It is walked once here, so that iterating it later cannot fail.
    pub fn pairs(&mut self) -> Result<Pairs<'a>, CodecError> {
        let count = self.u32()?;
        let pairs = Pairs { rest: *self, left: count };
        for _ in 0..count {
            self.bytes()?;
            self.bytes()?;
        }
        Ok(pairs)
    }

    /// Says that the payload ends here.
    pub fn end(self) -> Result<(), CodecError> {
        if self.0.is_empty() { Ok(()) } else { Err(CodecError::Trailing(self.0.len())) }
    }
}

/// The next byte as yes or no; `field` is what an error calls it.
pub(crate) fn flag(reader: &mut Reader<'_>, field: &'static str) -> Result<bool, CodecError> {
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(CodecError::Value(field)),
    }
}

/// A list of pairs of byte strings inside a payload, already checked.
#[derive(Clone, Debug)]
pub struct Pairs<'a> {
    rest: Reader<'a>,
    left: u32,
}

impl Pairs<'_> {
    /// No pairs.
    pub const NONE: Pairs<'static> = Pairs { rest: Reader(&[]), left: 0 };
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        Some((self.rest.bytes().ok()?, self.rest.bytes().ok()?))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        (left, Some(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_read() {
        let mut buffer = b"kept".to_vec();
        Writer::new(&mut buffer)
            .u8(1)
            .u16(2)
            .u32(3)
            .u64(4)
            .bytes(b"five")
            .pairs([(b"a".as_slice(), b"1".as_slice()), (b"", b"")]);
        let mut reader = Reader::new(&buffer[4..]);
        assert_eq!(reader.u8(), Ok(1));
        assert_eq!(reader.u16(), Ok(2));
        assert_eq!(reader.u32(), Ok(3));
        assert_eq!(reader.u64(), Ok(4));
        assert_eq!(reader.bytes(), Ok(b"five".as_slice()));
        let pairs: Vec<_> = reader.pairs().unwrap().collect();
        assert_eq!(pairs, [(b"a".as_slice(), b"1".as_slice()), (b"", b"")]);
        assert_eq!(reader.end(), Ok(()));
    }

    #[test]
    fn a_length_beyond_the_payload_is_short() {
        let mut reader = Reader::new(&[255, 255, 255, 255, b'x']);
        assert_eq!(reader.bytes(), Err(CodecError::Short));
        let mut reader = Reader::new(&[2, 0, 0, 0, 0, 0, 0, 0]);
        assert!(matches!(reader.pairs(), Err(CodecError::Short)));
    }

    proptest! {
        #[test]
        fn no_payload_panics(payload: Vec<u8>) {
            let mut reader = Reader::new(&payload);
            while reader.pairs().is_ok() && reader.bytes().is_ok() && reader.u16().is_ok() {}
        }
    }
}
