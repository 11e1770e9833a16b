//! What each subcommand does: the rooms put together, and what a person sees on stdout.
