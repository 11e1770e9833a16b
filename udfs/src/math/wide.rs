//! Loops over columns, compiled for the widest vectors that a machine has.

/// Makes a function of one that is always inlined: on a machine with 256-bit vectors it runs compiled
/// for those. The results are the same with any: nothing is fused or reordered.
macro_rules! wide {
    (
        $(#[$note:meta])*
        $name:ident($($argument:ident: $kind:ty),*) -> $output:ty = $narrow:ident
    ) => {
        $(#[$note])*
        pub fn $name($($argument: $kind),*) -> $output {
            #[cfg(target_arch = "x86_64")]
            if std::arch::is_x86_feature_detected!("avx2") {
                #[target_feature(enable = "avx2")]
                fn with_avx2($($argument: $kind),*) -> $output {
                    $narrow($($argument),*)
                }
                // SAFETY: the machine has what the function is compiled for.
                #[allow(unsafe_code)]
                return unsafe { with_avx2($($argument),*) };
            }
            $narrow($($argument),*)
        }
    };
}

pub(crate) use wide;
