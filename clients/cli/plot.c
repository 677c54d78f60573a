#include "clients/cli/plot.h"

#include <math.h>
#include <string.h>

const char *cli_plot_time(char text[16], double seconds)
{
    double value = seconds < 1e-3 ? seconds * 1e6 : seconds < 1 ? seconds * 1e3 : seconds;
    const char *unit = seconds < 1e-3 ? "us" : seconds < 1 ? "ms" : "s";
    if (value > 99999)
        value = 99999;
    snprintf(text, 16, "%.*f %s", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value, unit);
    return text;
}

static const struct {
    const char *name;
    double share;
} marks[] = {{"p50", 0.5},  {"p75", 0.75},    {"p90", 0.9},       {"p95", 0.95},
             {"p99", 0.99}, {"p99.9", 0.999}, {"p99.99", 0.9999}, {"max", 1}};

void cli_plot_bars(const struct cli_histogram *latency, size_t columns, FILE *out)
{
    size_t width = columns > 120 ? 100 : columns > 40 ? columns - 20 : 20;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        double time = cli_histogram_quantile(latency, marks[i].share);
        size_t full = latency->most > 0 ? (size_t)ceil(time / latency->most * (double)width) : 0;
        char text[16];
        fprintf(out, "%7s %9s ", marks[i].name, cli_plot_time(text, time));
        for (size_t j = 0; j < full && j < width; j++)
            fputc('#', out);
        fputc('\n', out);
    }
}

/* SVG ----------------------------------------------------------------------------------------------------------- */

#define LEFT   70.0
#define TOP    40.0
#define WIDTH  600.0
#define HEIGHT 300.0

static void put_text(const char *text, FILE *out)
{
    for (; *text; text++) {
        if (*text == '<' || *text == '>' || *text == '&')
            fprintf(out, "&#%d;", *text);
        else
            fputc(*text, out);
    }
}

/* How far to the right a share is: each nine as far as the one before. */
static double x_of(double share, double nines)
{
    double far = share >= 1 ? nines : -log10(1 - share);
    return LEFT + (far < nines ? far / nines : 1) * WIDTH;
}

/* 1, 2 or 5 times a power of ten: about four lines from 0 to `most`. */
static double step_for(double most)
{
    double power = pow(10, floor(log10(most / 4)));
    double times = most / 4 / power;
    return power * (times < 1.5 ? 1 : times < 3.5 ? 2 : times < 7.5 ? 5 : 10);
}

static void put_axes(double most, double nines, FILE *out)
{
    static const struct {
        const char *name;
        double share;
    } ticks[] = {{"0%", 0}, {"50%", 0.5}, {"90%", 0.9}, {"99%", 0.99}, {"99.9%", 0.999}, {"99.99%", 0.9999}};
    char text[16];
    for (double y = 0; y <= most * 1.0001; y += step_for(most))
        fprintf(out,
                "<path class='grid' d='M%.1f %.1fh%.0f'/>"
                "<text x='%.1f' y='%.1f' text-anchor='end'>%s</text>\n",
                LEFT, TOP + HEIGHT * (1 - y / most), WIDTH, LEFT - 6, TOP + HEIGHT * (1 - y / most) + 4,
                cli_plot_time(text, y));
    for (size_t i = 0; i < sizeof ticks / sizeof *ticks; i++) {
        if (ticks[i].share > 0 && -log10(1 - ticks[i].share) > nines)
            break;
        double x = x_of(ticks[i].share, nines);
        fprintf(out, "<path class='grid' d='M%.1f %.1fv%.0f'/><text x='%.1f' y='%.1f' text-anchor='middle'>%s</text>\n",
                x, TOP, HEIGHT, x, TOP + HEIGHT + 18, ticks[i].name);
    }
}

void cli_plot_svg(const struct cli_histogram *latency, const char *title, FILE *out)
{
    double most = latency->most > 0 ? latency->most : 1e-3;
    double nines = latency->n > 10 ? log10((double)latency->n) : 1;
    fprintf(out,
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 700 390' font-family='sans-serif' font-size='12'>\n"
            "<style>.grid{stroke:#ddd}.curve{stroke:#06c;stroke-width:2;fill:none}</style>\n"
            "<rect width='700' height='390' fill='#fff'/>\n<text x='%.1f' y='22' font-size='14'>",
            LEFT);
    put_text(title, out);
    fprintf(out, "</text>\n");
    put_axes(most, nines, out);
    fprintf(out, "<path class='curve' d='");
    for (int i = 0; i <= 200; i++) {
        double share = i == 200 ? 1 : 1 - pow(10, -nines * i / 200);
        fprintf(out, "%c%.1f %.1f", i > 0 ? 'L' : 'M', x_of(share, nines),
                TOP + HEIGHT * (1 - cli_histogram_quantile(latency, share) / most));
    }
    fprintf(out,
            "'/>\n<text x='%.1f' y='%.1f' text-anchor='middle'>share of requests that took no longer</text>\n</svg>\n",
            LEFT + WIDTH / 2, TOP + HEIGHT + 38);
}
