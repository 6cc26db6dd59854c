"""The look of a host's packets where Linux cannot give it to a socket: two programs (extended BPF) on each device.

What comes in is changed so that the kernel never agrees to what the host's system would not (`arriving`); what leaves
gets the host's TTL, numbers, window and order of options (`leaving`). Both find the host's stack from its address with
the steps that listeners use. Only the process that builds the namespace imports more than `wanted`.
"""
