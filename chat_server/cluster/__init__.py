"""A node as a member of a cluster: what it has beyond a node that is alone."""
