/*
 * Loads BPF objects and attaches their programs by order: `attach OBJECT...`, then by standard
 * input, each answered with the number of links that are there now. What this kernel does not let
 * in is left out.
 *
 *   attach PREFIX    attaches all programs whose names begin so
 *   detach           removes all links
 */
#include <bpf/libbpf.h>
#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define OBJECTS_MAX 8
#define LINKS_MAX   32

static struct bpf_object *objects[OBJECTS_MAX];
static struct bpf_link *links[LINKS_MAX];
static int object_count, link_count;

static void attach(const char *prefix)
{
	for (int i = 0; i < object_count; i++) {
		struct bpf_program *program;

		bpf_object__for_each_program(program, objects[i])
		{
			const char *name = bpf_program__name(program);

			if (strncmp(name, prefix, strlen(prefix)) != 0)
				continue;
			if (link_count == LINKS_MAX)
				errx(1, "too many links");
			links[link_count] = bpf_program__attach(program);
			if (links[link_count])
				link_count++;
		}
	}
}

static void detach(void)
{
	while (link_count > 0)
		bpf_link__destroy(links[--link_count]);
}

static int keep_silent(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

int main(int argc, char **argv)
{
	char line[64];

	libbpf_set_print(keep_silent);
	for (int i = 1; i < argc && object_count < OBJECTS_MAX; i++) {
		struct bpf_object *object = bpf_object__open(argv[i]);

		if (!object)
			err(1, "open %s", argv[i]);
		if (bpf_object__load(object) == 0)
			objects[object_count++] = object;
	}
	setlinebuf(stdout);
	puts("ready");
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		if (strncmp(line, "attach ", 7) == 0)
			attach(line + 7);
		else
			detach();
		printf("%d\n", link_count);
	}
	return 0;
}
