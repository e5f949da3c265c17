"""What both front ends share."""
