//! Names of request headers, and of the variables that they become.

/// Whether a header's name can be told apart from every other one in the environ.
pub fn is_header_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

/// The name of a header's variable, for instance `HTTP_X_REAL_IP`.
pub fn header_variable(name: &[u8]) -> Vec<u8> {
    let letter = |byte: &u8| if *byte == b'-' { b'_' } else { byte.to_ascii_uppercase() };
    b"HTTP_".iter().copied().chain(name.iter().map(letter)).collect()
}
