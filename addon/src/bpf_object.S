/* The compiled BPF programs as bytes of the addon, so that the two cannot be of different builds. */
	.section .rodata
	.global bpf_object_begin
	.global bpf_object_end
	.balign 8
bpf_object_begin:
	.incbin BPF_OBJECT
bpf_object_end:
	.section .note.GNU-stack, "", %progbits
