"""What both front ends share: local commands, mentions, wording, completion, line editing."""
