/* The compiled BPF programs as bytes of the addon, so that the two cannot be of different builds. */
	.section .rodata
	.global page_cache_begin, page_cache_end, self_test_begin, self_test_end
	.balign 8
page_cache_begin:
	.incbin PAGE_CACHE_OBJECT
page_cache_end:
	.balign 8
self_test_begin:
	.incbin SELF_TEST_OBJECT
self_test_end:
	.section .note.GNU-stack, "", %progbits
