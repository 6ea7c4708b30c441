"""The demo: the main job, from end to end, in separate processes over real sockets."""
