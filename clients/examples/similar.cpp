// Which of some texts is nearest to another one. C++17; bertd.h is included as it is.
#include <bertd.h>

#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace
{
struct Close {
    void operator()(bertd_client *client) const
    {
        bertd_client_destroy(&client);
    }
};

class Client
{
  public:
    explicit Client(const char *address)
    {
        bertd_options options = bertd_options_default();
        bertd_client *made = nullptr;
        bertd_error err;
        options.endpoints = &address;
        options.n_endpoints = 1;
        if (bertd_client_create(&made, &options, &err) != BERTD_OK)
            throw std::runtime_error(err.message);
        client_.reset(made);
    }

    std::vector<float> similarity(const std::string &source, const std::vector<std::string> &texts) const
    {
        std::vector<const char *> data;
        std::vector<std::size_t> lengths;
        std::vector<float> scores(texts.size());
        bertd_error err;
        for (const std::string &text : texts) {
            data.push_back(text.data());
            lengths.push_back(text.size());
        }
        if (bertd_similarity(client_.get(), source.c_str(), data.data(), lengths.data(), texts.size(), nullptr,
                             scores.data(), &err) != BERTD_OK)
            throw std::runtime_error(err.message);
        return scores;
    }

  private:
    std::unique_ptr<bertd_client, Close> client_;
};
} // namespace

int main(int argc, char **argv)
{
    try {
        const std::vector<std::string> texts{"A cat is sleeping.", "The markets fell."};
        const std::vector<float> scores =
            Client(argc > 1 ? argv[1] : "http://127.0.0.1:3000").similarity("A kitten naps.", texts);
        std::cout << (scores[0] > scores[1] ? texts[0] : texts[1]) << "\n";
    } catch (const std::exception &error) {
        std::cerr << error.what() << "\n";
        return 1;
    }
}
