//! Go's strconv: numbers and quoted strings as text.
