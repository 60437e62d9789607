//! A section of the configuration as a struct and as a table of explanations, from one text: the doc comments.

/// One setting: its name, what it means, and how it could be written.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name in its section.
    pub name: &'static str,
    /// The lines of its doc comment.
    pub explanation: &'static [&'static str],
    /// A value as it is written in TOML.
    pub example: &'static str,
}

/// One section.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// Its dotted name; empty for the top level.
    pub name: &'static str,
    /// The lines of its doc comment.
    pub explanation: &'static [&'static str],
    /// Its settings, in order.
    pub fields: &'static [Field],
}

impl Section {
    /// The dotted name of a setting.
    pub fn path_of(&self, field: &Field) -> String {
        if self.name.is_empty() { field.name.to_owned() } else { format!("{}.{}", self.name, field.name) }
    }
}

/// Declares a section. A setting without a doc comment or an example does not compile.
macro_rules! section {
    (
        $(#[doc = $doc:literal])+
        $name:ident in $path:literal {
            $($(#[doc = $explanation:literal])+ $field:ident: $type:ty = $default:expr, e.g. $example:literal;)+
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $($(#[doc = $explanation])+ pub $field: $type,)+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl $name {
            /// What `chatmai config` prints about it.
            pub const SECTION: $crate::config::section::Section = $crate::config::section::Section {
                name: $path,
                explanation: &[$($doc),+],
                fields: &[$($crate::config::section::Field {
                    name: stringify!($field),
                    explanation: &[$($explanation),+],
                    example: $example,
                }),+],
            };
        }
    };
}

pub(crate) use section;
