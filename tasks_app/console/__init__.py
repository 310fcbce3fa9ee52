"""Pages for people. They show what the API tells and change nothing but through it."""
